"""`pulumi up`, again and again up the capacity ladder of `slipway:training.fallbacks`.

When AWS has no free instances for a run, the program fails the update with a sentence that names the next rung, and the
next update runs there (infra/ladder.py has the rule). A person decides that for plain `pulumi up`; `slipway train` and
`slipway ci deploy` go on by themselves, and log each rung with its price.
"""

import re

from slipway.deploy import Deployment, up
from slipway.errors import SlipwayError
from slipway.project import Stack
from slipway.view import Steps

ONWARD = re.compile(r"`pulumi up` again goes on with (?P<rung>rung (?P<number>\d+) of \d+: .+?);")
REFUSED = re.compile(r"^run (?P<run>\S+) got no instances: (?P<reason>.*)$", re.MULTILINE)


def climb(stack: Stack, steps: Steps, *options: str, follow: bool = False) -> Deployment:
    """`up`, on the next rung whenever AWS has no instances for one. Raises SlipwayError as `up` does, or at the end.

    It ends, since the rungs of a round only rise.
    """
    last = 0
    while True:
        try:
            return up(stack, steps, *options, follow=follow)
        except SlipwayError as error:
            onward = ONWARD.search(str(error))
            if onward is None or int(onward["number"]) <= last:
                raise
            last = int(onward["number"])
            with steps.step("capacity") as step:
                refused = REFUSED.search(str(error))
                reason = f"{refused['run']}: {refused['reason']}; " if refused else ""
                step.result = f"{reason}going on with {onward['rung']}"
