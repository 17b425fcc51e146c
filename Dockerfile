# The program and its libraries, run by a user who is not root. For NVIDIA GPUs:
# docker build --target gpu -t captiond:gpu . && docker run --gpus all captiond:gpu
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY setup setup
COPY Makefile ./
RUN make deps
COPY . .
RUN make build

FROM build AS cuda
RUN apt-get update && apt-get install -y --no-install-recommends python3-pip && make deps-gpu

FROM debian:12-slim AS program
RUN apt-get update \
	&& apt-get install -y --no-install-recommends ca-certificates \
		libavcodec59 libavdevice59 libavfilter8 libavformat59 libavutil57 libswresample4 libswscale6 \
		libopencv-calib3d406 libopencv-core406 libopencv-dnn406 libopencv-features2d406 libopencv-highgui406 \
		libopencv-imgcodecs406 libopencv-imgproc406 libopencv-objdetect406 libopencv-photo406 libopencv-video406 libopencv-videoio406 \
	&& rm -rf /var/lib/apt/lists/* \
	&& install -d -o 10001 -g 10001 /var/lib/captiond /captions
COPY --from=build /src/bin/captiond /usr/local/lib/captiond/captiond
COPY --from=build /src/lib/libonnxruntime.so.1 /usr/local/lib/captiond/libonnxruntime.so.1
RUN ln -s ../lib/captiond/captiond /usr/local/bin/captiond
ENV CAPTIOND_STATE=/var/lib/captiond \
	CAPTIOND_MODEL_LIBRARY=/usr/local/lib/captiond/libonnxruntime.so.1
USER 10001:10001
ENTRYPOINT ["captiond"]

# Where a container is given no GPU, this one runs models on the CPU, too.
FROM program AS gpu
COPY --from=cuda /src/lib/cuda /usr/local/lib/captiond/cuda
ENV CAPTIOND_MODEL_LIBRARY=/usr/local/lib/captiond/cuda/libonnxruntime.so.1 \
	NVIDIA_VISIBLE_DEVICES=all \
	NVIDIA_DRIVER_CAPABILITIES=compute,utility

FROM program
