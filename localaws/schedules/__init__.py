"""What happens at its time by localaws's clock: EventBridge Scheduler, and scheduled actions of Auto Scaling.

`expressions.py` reads at, rate and cron; `clockwork.py` is the thread that fires; `api.py` keeps schedules and groups,
`targets.py` calls what they name.
"""
