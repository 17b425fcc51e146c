# The program and its libraries, run by a user who is not root.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY setup setup
COPY Makefile ./
RUN make deps
COPY . .
RUN make build

FROM debian:12-slim
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
