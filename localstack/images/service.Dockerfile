# syntax=docker/dockerfile:1
# dormouse-service: one static binary and nothing else. Build it from the repository's root:
#   docker build -f localstack/images/service.Dockerfile -t dormouse-service .

FROM rust:1.95-slim AS build
WORKDIR /src
COPY . .
# musl and the flags as in localstack/images/build.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    target="$(uname -m)-unknown-linux-musl" && \
    rustup target add "$target" && \
    RUSTFLAGS="-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs" \
        cargo build --locked --profile dist --target "$target" --package dormouse-service && \
    cp "target/$target/dist/dormouse-service" /dormouse-service

FROM scratch
COPY --from=build /dormouse-service /dormouse-service
# No name for it: there is no /etc/passwd here.
USER 65532:65532
# Says how the user's container is: the one beside it, in the same network namespace.
HEALTHCHECK --interval=10s --timeout=4s --start-period=30s --retries=3 CMD ["/dormouse-service", "healthcheck"]
ENTRYPOINT ["/dormouse-service"]
