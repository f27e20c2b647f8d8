"""IAM: who may do what. evaluator.py decides, requests.py says what a call asks for, enforce.py puts both together.

Requests signed with a role's temporary keys are judged; all other signed requests are the administrator's. What
SageMaker and CodeBuild do for a role goes through `platform.require`.
"""
