# Built in one image, run in another that has no compiler and no sources.
FROM node:20-bookworm-slim AS build
WORKDIR /app
# Native addons come prebuilt; these build them where they do not.
RUN apt-get update \
  && apt-get install -y --no-install-recommends python3 make g++ \
  && rm -rf /var/lib/apt/lists/*
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY config ./config
COPY src ./src
RUN npm run build && npm prune --omit=dev --no-audit --no-fund

FROM node:20-bookworm-slim
ENV NODE_ENV=production \
  TRUNKLINE_HTTP_HOST=0.0.0.0 \
  TRUNKLINE_SIP_HOST=0.0.0.0 \
  TRUNKLINE_MEDIA_HOST=0.0.0.0 \
  TRUNKLINE_DATA_DIR=/var/lib/trunkline
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY config/trunkline.example.yaml ./config/
RUN install -d -o node -g node -m 0700 /var/lib/trunkline
USER node
VOLUME /var/lib/trunkline
# 41000: browsers, one more for each further voice worker.
EXPOSE 8080/tcp 5060/udp 5060/tcp 40000-40999/udp 41000-41015/udp
# Draining answers 503 and is no illness: only silence is.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.TRUNKLINE_HTTP_PORT ?? 8080}/health`, { signal: AbortSignal.timeout(2500) }).then(({ status }) => process.exit(status === 200 || status === 503 ? 0 : 1), () => process.exit(1))"]
CMD ["node", "--enable-source-maps", "dist/main.js"]
