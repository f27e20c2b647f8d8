"""Lambda: functions of Python runtimes really run, as processes with their role's keys.

moto keeps the functions (rules.py mends what it has wrong); here they are invoked: `child.py` is the program of a
function's process, `worker.py` the process, `runner.py` the choice of one, `events.py` asynchronous invocations with
their retries, `deliveries.py` what other services send, `api.py` the Invoke operation.
"""
