# The course in a container: docker build -t tracking-course . && mkdir -p my_work && docker run -p 8888:8888 -v "$PWD/my_work:/home/student/course/my_work" tracking-course
# (my_work/ first: docker would make it as root, and the student in the container, user 1000, could not write to it.)
# With an NVIDIA GPU add `--gpus all` to docker run (NVIDIA's container toolkit has to be installed; not tried).
FROM python:3.12-slim AS base
# git and make for the commands; libGL and GLib, which opencv-python loads
RUN apt-get update && apt-get install -y --no-install-recommends git make libgl1 libglib2.0-0 && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 1000 student
USER student
WORKDIR /home/student/course

FROM base AS course
COPY --chown=student . .
RUN make .venv/.lab
EXPOSE 8888
# JupyterLab prints its address with a token; my_work/ holds the student's copies
CMD ["make", "lab", "ARGS=--no-browser --ip=0.0.0.0"]
