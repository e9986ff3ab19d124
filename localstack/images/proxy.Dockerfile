# syntax=docker/dockerfile:1
# dormouse-proxy: one static binary and nothing else. Build it from the repository's root:
#   docker build -f localstack/images/proxy.Dockerfile -t dormouse-proxy .

FROM rust:1.95-slim AS build
WORKDIR /src
COPY . .
# musl and the flags as in localstack/images/build.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    target="$(uname -m)-unknown-linux-musl" && \
    rustup target add "$target" && \
    RUSTFLAGS="-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs" \
        cargo build --locked --profile dist --target "$target" --package dormouse-proxy && \
    cp "target/$target/dist/dormouse-proxy" /dormouse-proxy

FROM scratch
COPY --from=build /dormouse-proxy /dormouse-proxy
# No name for it: there is no /etc/passwd here.
USER 65532:65532
EXPOSE 9060 9061
# The proxy answers this while it serves or drains.
HEALTHCHECK --interval=10s --timeout=4s --start-period=30s --retries=3 CMD ["/dormouse-proxy", "healthcheck"]
ENTRYPOINT ["/dormouse-proxy"]
