"""Budgets: two actions for nearly everything, on budgets that are in no region."""

from localaws.iam.rules import Rule, Service

BUDGET = "budget/{BudgetName}"
_VIEW = ("DescribeBudget", "DescribeNotificationsForBudget", "DescribeSubscribersForNotification")
_MODIFY = (
    *("DeleteBudget", "CreateNotification", "UpdateNotification", "DeleteNotification"),
    *("CreateSubscriber", "UpdateSubscriber", "DeleteSubscriber"),
)

SERVICE = Service(
    client="budgets",
    prefix="budgets",
    scope=":{account}:",
    rules={
        "CreateBudget": Rule(
            resources=("budget/{Budget.BudgetName}",),
            action="ModifyBudget",
            tags="ResourceTags",
            tag_action="TagResource",
        ),
        "UpdateBudget": Rule(resources=("budget/{NewBudget.BudgetName}",), action="ModifyBudget"),
        **dict.fromkeys(_MODIFY, Rule(resources=(BUDGET,), action="ModifyBudget")),
        **dict.fromkeys(_VIEW, Rule(resources=(BUDGET,), action="ViewBudget")),
        **dict.fromkeys(
            ("DescribeBudgets", "DescribeBudgetNotificationsForAccount"),
            Rule(resources=("budget/*",), action="ViewBudget"),
        ),
        "TagResource": Rule(resources=("budget/{ResourceARN}",), tags="ResourceTags"),
        "UntagResource": Rule(resources=("budget/{ResourceARN}",), conditions={"aws:TagKeys": "ResourceTagKeys[]"}),
        "ListTagsForResource": Rule(resources=("budget/{ResourceARN}",)),
    },
)
