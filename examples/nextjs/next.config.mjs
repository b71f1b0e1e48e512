import { fileURLToPath } from 'node:url';

/** @type {import('next').NextConfig} */
export default {
  turbopack: { root: fileURLToPath(new URL('.', import.meta.url)) }, // the repository around it has other lock files
  poweredByHeader: false,
  logging: { serverFunctions: false }, // their arguments are proofs and codes, which are for no log
};
