# The backend: pages, REST, scheduler, ingest. It holds the database; it has neither torch nor a GPU.
FROM python:3.13-slim-bookworm

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN useradd --create-home --uid 1000 tunedeck && install -d -o tunedeck /data

WORKDIR /app
COPY pyproject.toml README.md LICENSE ./
COPY tunedeck tunedeck
COPY backend backend
COPY worker worker
COPY frontend frontend
COPY migrations migrations
RUN pip install ".[server,hub]"

# Away from the sources: what runs is what was installed.
WORKDIR /data
USER tunedeck
ENV TUNEDECK_DATA_DIR=/data TUNEDECK_HOST=0.0.0.0 TUNEDECK_PORT=8500
EXPOSE 8500
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["tunedeck", "ls", "--limit", "1", "--url", "http://127.0.0.1:8500", "--data-dir", "/data"]
CMD ["python", "-m", "backend"]
