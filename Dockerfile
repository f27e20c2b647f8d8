# One image, two verbs: SageMaker runs it with `train` or `serve`.
#   docker build --build-arg TORCH_BACKEND=cpu -t slipway .
FROM public.ecr.aws/docker/library/python:3.12-slim

# auto: the CUDA wheels, which carry CUDA's libraries; only the driver comes from the host. cpu: a tenth of the size.
ARG TORCH_BACKEND=auto
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility

# The packages first: this layer changes with the lock file only.
WORKDIR /opt/program
COPY pyproject.toml requirements.lock ./
RUN pip install --no-cache-dir uv \
 && python3 -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['ml'], sep='\n')" > ml.txt \
 && if [ "$TORCH_BACKEND" = auto ]; then set -- ; else set -- --torch-backend "$TORCH_BACKEND" --no-verify-hashes; fi \
 && uv pip install --system --no-cache --compile-bytecode -c requirements.lock -r ml.txt "$@"

COPY training training
COPY inference inference
ENV PATH=/opt/program/training/bin:/opt/program/inference/bin:$PATH PYTHONPATH=/opt/program PYTHONUNBUFFERED=1
# What SageMaker may do with the image: several models behind one endpoint, and another port than 8080.
LABEL com.amazonaws.sagemaker.capabilities.multi-models=true \
      com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true
