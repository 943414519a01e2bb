# The image holds one static program, the certificates that it checks providers
# against, and the name of its user: no shell and no package to patch.
# test/image_test.go runs the program among exactly these files.

FROM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unknown
RUN make build VERSION=${VERSION}
RUN echo 'doorward:x:65532:65532:doorward:/:/' > /src/bin/passwd

FROM scratch
COPY --from=build /src/bin/doorward /doorward
COPY --from=build /src/bin/passwd /etc/passwd
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
USER 65532:65532
EXPOSE 4180 4181
ENTRYPOINT ["/doorward"]
