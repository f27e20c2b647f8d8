"""CloudWatch's metrics and alarms where moto has only records: statistics, metric math, evaluation, actions.

Alarms and data stay moto's objects, so every protocol sees the same. `store.catch_up(cloud)` evaluates each minute
that the clock has passed; it runs before every read of CloudWatch, and by a thread of its own.

    curl -X POST $AWS_ENDPOINT_URL/_localaws/clock -d '{"mode": "stepped", "advance_seconds": 300}'
    aws cloudwatch describe-alarms --state-value ALARM
"""
