"""SageMaker: training jobs and endpoints that run as processes, with AWS's statuses, texts and limits."""
