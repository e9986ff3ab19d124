# syntax=docker/dockerfile:1
# dormouse-proxy: one static binary and nothing else. Build it from the repository's root:
#   docker buildx build --platform linux/amd64,linux/arm64 -f localstack/images/proxy.Dockerfile -t dormouse-proxy .

# On the machine that builds, whatever it builds for: a compiler that is emulated takes an hour.
FROM --platform=$BUILDPLATFORM rust:1.95-slim AS build
ARG BUILDARCH
ARG TARGETARCH
RUN if [ "$TARGETARCH" != "$BUILDARCH" ]; then \
      case "$TARGETARCH" in arm64) gcc=aarch64-linux-gnu ;; amd64) gcc=x86-64-linux-gnu ;; esac && \
      apt-get update -q && apt-get install -qy --no-install-recommends "gcc-$gcc" && rm -rf /var/lib/apt/lists/*; \
    fi
WORKDIR /src
COPY . .
# musl and the flags as in localstack/images/build. Nothing in it is C: a linker is enough.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target,id=target-$TARGETARCH \
    case "$TARGETARCH" in arm64) arch=aarch64 ;; amd64) arch=x86_64 ;; *) echo "not $TARGETARCH" >&2; exit 1 ;; esac && \
    target="$arch-unknown-linux-musl" && \
    rustup target add "$target" && \
    if [ "$TARGETARCH" != "$BUILDARCH" ]; then \
      export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=aarch64-linux-gnu-gcc \
             CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_LINKER=x86_64-linux-gnu-gcc; \
    fi && \
    RUSTFLAGS="-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs" \
        cargo build --locked --profile dist --target "$target" --package dormouse-proxy && \
    cp "target/$target/dist/dormouse-proxy" /dormouse-proxy

FROM scratch
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="dormouse-proxy" \
      org.opencontainers.image.description="Scale-to-zero for Amazon ECS: carries a service's traffic" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /dormouse-proxy /dormouse-proxy
# No name for it: there is no /etc/passwd here.
USER 65532:65532
EXPOSE 9060 9061
# The proxy answers this while it serves or drains.
HEALTHCHECK --interval=10s --timeout=4s --start-period=30s --retries=3 CMD ["/dormouse-proxy", "healthcheck"]
ENTRYPOINT ["/dormouse-proxy"]
