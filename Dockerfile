# The same image as "make image" builds without a container engine, for those
# who have one:
#
#	docker buildx build --platform linux/amd64,linux/arm64 \
#		--build-arg VERSION=$(git describe --tags --always) \
#		--build-arg COMMIT=$(git rev-parse HEAD) --tag schemagate:dev .

FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src

# Apart, so that they are downloaded again only when they change.
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download

COPY . .
ARG TARGETOS TARGETARCH VERSION=unknown COMMIT=unknown DATE=unknown
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
	CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false \
	-ldflags "-s -w \
	-X github.com/schemagate/schemagate/internal/version.version=$VERSION \
	-X github.com/schemagate/schemagate/internal/version.commit=$COMMIT \
	-X github.com/schemagate/schemagate/internal/version.date=$DATE" \
	-o /schemagate .

# It holds certificate authorities and the user, and no shell.
FROM gcr.io/distroless/static:nonroot
COPY --from=build /src/LICENSE /licenses/LICENSE
COPY --from=build /schemagate /schemagate
USER 65532:65532
ENTRYPOINT ["/schemagate"]
