# syntax=docker/dockerfile:1
# dormouse: one static binary and the certificates that it trusts AWS by. Build it from the repository's root:
#   docker buildx build --platform linux/amd64,linux/arm64 -f localstack/images/controller.Dockerfile -t dormouse .

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
# The target is named, also where it is the host's: only then do the flags spare build scripts and macros.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target,id=target-$TARGETARCH \
    case "$TARGETARCH" in arm64) arch=aarch64 ;; amd64) arch=x86_64 ;; *) echo "not $TARGETARCH" >&2; exit 1 ;; esac && \
    target="$arch-unknown-linux-gnu" && \
    if [ "$TARGETARCH" != "$BUILDARCH" ]; then \
      rustup target add "$target" && \
      export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
             CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER=x86_64-linux-gnu-gcc; \
    fi && \
    RUSTFLAGS="-C target-feature=+crt-static" \
        cargo build --locked --profile dist --target "$target" --package dormouse && \
    cp "target/$target/dist/dormouse" /dormouse

FROM scratch
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="dormouse" \
      org.opencontainers.image.description="Scale-to-zero for Amazon ECS: the control plane" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /dormouse /dormouse
# No name for it: there is no /etc/passwd here.
USER 65532:65532
# Activator, API.
EXPOSE 9060 9070
# Alive: whether it has read everything is not the runtime's business.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["/dormouse", "healthcheck"]
ENTRYPOINT ["/dormouse"]
CMD ["controller"]
