# streamct in a container:  docker build -t streamct .
#   docker run --rm -v "$PWD:/work" streamct video in.mp4 ref.jpg
# With a GPU add --gpus all: the PyTorch wheels bring CUDA's libraries, so a plain base image is enough.
# With Ray add --shm-size=2g: its object store lies in /dev/shm, of which a container has 64 MB.
#
# As the image of a cluster (configs/cluster):  docker build --build-arg EXTRAS=[cluster] -t streamct .
#   docker run --rm --shm-size=2g --network host --entrypoint ray streamct start --head --block
FROM python:3.12-slim-bookworm

# Kubernetes asks a pod's health with wget; Ray's launcher copies files with rsync.
RUN apt-get update && apt-get install -y --no-install-recommends rsync wget && rm -rf /var/lib/apt/lists/*

ARG EXTRAS=
ENV PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1
WORKDIR /opt/streamct
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY configs configs
COPY streamct streamct
RUN pip install --constraint constraints.txt ".${EXTRAS}"

# Kernels are compiled while the image is built, so that no container waits for the compiler.
COPY scripts/make_example.py /tmp/make_example.py
ENV NUMBA_CACHE_DIR=/opt/streamct/cache
RUN mkdir -p "$NUMBA_CACHE_DIR" /tmp/example \
    && python /tmp/make_example.py /tmp/example \
    && streamct video /tmp/example/clip.mp4 /tmp/example/reference.png -q \
    && streamct image /tmp/example/reference.png /tmp/example/reference.png -o /tmp/example/out.png -q \
    && rm -r /tmp/example /tmp/make_example.py \
    && chmod -R a+rwX "$NUMBA_CACHE_DIR"

WORKDIR /work
ENTRYPOINT ["streamct"]
CMD ["--help"]
