# One static-enough binary with every database compiled in, run by a user that owns nothing but its data.

FROM rust:1.95-bookworm AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends libmariadb-dev libssl-dev pkg-config \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
# Dependencies first: they change seldom, so their layer is kept.
COPY .cargo .cargo
COPY Cargo.toml Cargo.lock ./
RUN mkdir -p src benches tests/api \
 && echo 'fn main() {}' > src/main.rs && touch src/lib.rs tests/api/main.rs \
 && awk -F'"' '/^\[\[bench\]\]/ { getline; print $2 }' Cargo.toml | xargs -I{} touch benches/{}.rs \
 && cargo build --release --locked --features postgres-tls,mysql \
 && rm -rf src
# Only what is compiled (docs is the portal, which is part of the program): an edit of another document recompiles
# nothing.
COPY migrations migrations
COPY src src
COPY docs docs
RUN touch src/main.rs src/lib.rs \
 && cargo build --release --locked --features postgres-tls,mysql

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates curl libmariadb3 libssl3 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin deskwire \
 && install -d -o deskwire -g deskwire /data
COPY --from=build /build/target/release/deskwire /usr/local/bin/deskwire
USER deskwire
WORKDIR /data
VOLUME /data
ENV DESKWIRE_LISTEN=0.0.0.0:8080
EXPOSE 8080
# Healthy means alive; whether to send work is asked at /readyz.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD curl -fsS http://127.0.0.1:8080/healthz || exit 1
STOPSIGNAL SIGTERM
ENTRYPOINT ["deskwire"]
CMD ["serve"]
