import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    isolate: true,
    pool: 'threads',
    maxWorkers: 2,
    testTimeout: 60_000,
  },
});
