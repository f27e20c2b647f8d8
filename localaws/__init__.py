"""An embedded AWS for one machine: moto, plus a SageMaker, CodeBuild and ECR that really run things.

    python -m localaws                       # prints http://127.0.0.1:NNNNN, then runs until SIGTERM or Ctrl-C
    AWS_ENDPOINT_URL=http://127.0.0.1:NNNNN aws sagemaker list-training-jobs
    python -m localaws --coverage            # what is emulated, as a markdown table

It knows nothing of the project that uses it: training jobs run the image's `train` with the `/opt/ml` contract,
endpoints run its `serve` behind a router, and every AWS client works with only AWS_ENDPOINT_URL set.
"""
