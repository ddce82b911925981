// Where the machine `local` is kept: the platform's folder for configuration.
import { homedir } from 'node:os'
import { join } from 'node:path'

/** The file of the machine `local`, which may not be there yet. */
export function localPath(env: NodeJS.ProcessEnv = process.env, platform: NodeJS.Platform = process.platform): string {
  return join(configFolder(env, platform), 'memwall', 'local.json')
}

function configFolder(env: NodeJS.ProcessEnv, platform: NodeJS.Platform): string {
  if (platform === 'win32') return env.APPDATA ?? join(homedir(), 'AppData', 'Roaming')
  if (env.XDG_CONFIG_HOME) return env.XDG_CONFIG_HOME
  return platform === 'darwin' ? join(homedir(), 'Library', 'Application Support') : join(homedir(), '.config')
}
