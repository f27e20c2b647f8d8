"""The policy pack: what every stack has to keep to, one small function per rule.

    pulumi preview --policy-pack infra/policies

The engine runs `__main__.py` in a process of its own. docs/policies.md lists the rules.
"""
