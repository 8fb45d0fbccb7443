# A worker that trains on NVIDIA GPUs, with Transformer Engine for FP8 (Hopper or newer).
#
# NVIDIA's own PyTorch image was rejected: it pins a torch of its own, and we want the one that pyproject.toml names.
# The "devel" base is needed because Transformer Engine's PyTorch part is compiled against the installed torch.
ARG CUDA_IMAGE=nvidia/cuda:13.0.1-cudnn-devel-ubuntu24.04
FROM ${CUDA_IMAGE}

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 DEBIAN_FRONTEND=noninteractive
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-dev python3-venv build-essential ninja-build git \
    && rm -rf /var/lib/apt/lists/*
# Ubuntu's image already has a user 1000.
RUN userdel --remove ubuntu && useradd --create-home --uid 1000 tunedeck && install -d -o tunedeck /data
ENV VIRTUAL_ENV=/opt/tunedeck PATH=/opt/tunedeck/bin:$PATH
RUN python3 -m venv "$VIRTUAL_ENV"

WORKDIR /app
ARG TORCH="torch>=2.13,<2.14"
ARG CUDA_INDEX=https://download.pytorch.org/whl/cu130
ARG TRANSFORMER_ENGINE="transformer_engine[core_cu13,pytorch]>=2.20,<2.21"
ARG MAX_JOBS=4
RUN pip install "$TORCH" --extra-index-url "$CUDA_INDEX"
# Against the torch above, not against one of an isolated build.
RUN pip install setuptools wheel pybind11 \
    && MAX_JOBS="$MAX_JOBS" NVTE_FRAMEWORK=pytorch pip install --no-build-isolation "$TRANSFORMER_ENGINE"
COPY pyproject.toml README.md LICENSE ./
COPY tunedeck tunedeck
COPY backend backend
COPY worker worker
COPY frontend frontend
COPY migrations migrations
RUN pip install ".[worker,tracking]"

WORKDIR /data
USER tunedeck
ENV TUNEDECK_DATA_DIR=/data
CMD ["python", "-m", "worker"]
