"""The guardian: a Lambda function that stops what a stack spends, and brings it back.

It lies in its account beside the stack, so that it works while nobody looks: when the month's budget is reached, when
the stack's time is over, when nothing is asked of the endpoint, and out of office hours. It needs boto3 and the
standard library only, knows neither Pulumi nor the rest of this repository, and works on things of its own stack alone.

    handler  an event in, a JSON document out         memory   guard/state.json, held by one run at a time
    watch    a check: what is due                     spend    what the month has cost so far
    stop     jobs stopped, endpoint remembered        start    the endpoint as it was, then its scaling
    rules    decisions, as functions of plain data    jobs     which jobs are the stack's
"""
