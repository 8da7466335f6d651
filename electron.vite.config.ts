import { fileURLToPath } from 'node:url'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'electron-vite'

const fromRoot = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  main: {
    build: {
      outDir: 'out/main',
      rolldownOptions: {
        // One bundle for each process that Kineo starts; core/entry.ts finds them by these names.
        input: {
          desktop: fromRoot('src-main/desktop/main.ts'),
          server: fromRoot('src-main/server/main.ts'),
          cli: fromRoot('src-main/cli/main.ts'),
          'job-worker': fromRoot('src-main/jobs/job-worker.ts'),
          'loader-worker': fromRoot('src-main/dataset/loader-worker.ts'),
          'flow-worker': fromRoot('src-main/flow/flow-worker.ts'),
          'window-worker': fromRoot('src-main/tasks/prediction/window-worker.ts'),
        },
      },
    },
  },
  preload: {
    build: {
      outDir: 'out/preload',
      // A sandboxed preload must be CommonJS, hence .cjs in a package of type module.
      rolldownOptions: {
        input: { preload: fromRoot('src-main/desktop/preload.ts') },
        output: { format: 'cjs', entryFileNames: '[name].cjs' },
      },
    },
  },
  renderer: {
    root: 'src-renderer',
    plugins: [svelte({ configFile: fromRoot('svelte.config.js') })],
    build: {
      outDir: 'out/renderer',
      rolldownOptions: { input: fromRoot('src-renderer/index.html') },
    },
  },
})
