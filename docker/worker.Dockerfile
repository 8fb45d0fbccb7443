# A worker that trains on the CPU. The GPU image is worker-gpu.Dockerfile.
FROM python:3.13-slim-bookworm

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN useradd --create-home --uid 1000 tunedeck && install -d -o tunedeck /data

WORKDIR /app
COPY constraints constraints
# First and alone: these layers change rarely and are large.
RUN pip install -r constraints/cpu.txt --extra-index-url https://download.pytorch.org/whl/cpu
COPY pyproject.toml README.md LICENSE ./
COPY tunedeck tunedeck
COPY backend backend
COPY worker worker
COPY frontend frontend
COPY migrations migrations
RUN pip install ".[worker,tracking]" -c constraints/cpu.txt

WORKDIR /data
USER tunedeck
ENV TUNEDECK_DATA_DIR=/data
CMD ["python", "-m", "worker"]
