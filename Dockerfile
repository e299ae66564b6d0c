# Build and run, with your own config.yaml, policies/ and a volume for keys and records in /etc/countermark:
#
#     docker build --tag countermark .
#     docker run --publish 8080:8080 --volume ./countermark:/etc/countermark countermark
#
# The folder must belong to user id 10001, for the secret and the ledger are made in it at the first start.

FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE config.yaml ./
COPY policies policies
COPY proxy proxy
RUN pip wheel --no-cache-dir --wheel-dir /wheels ".[aws,postgres]"

FROM python:3.13-slim
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# The id is a number, so that an orchestrator can see that it is not root's.
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin countermark \
    && mkdir /etc/countermark && chown 10001:10001 /etc/countermark
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --find-links=/wheels "countermark[aws,postgres]"
USER 10001:10001
WORKDIR /etc/countermark
VOLUME /etc/countermark
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.build_opener(u.ProxyHandler({})).open('http://127.0.0.1:8080/countermark/health', timeout=2)"]
# In a container, every address; what config.yaml says of `listen` holds elsewhere.
CMD ["countermark", "serve", "--config", "/etc/countermark/config.yaml", "--listen", "0.0.0.0:8080"]
