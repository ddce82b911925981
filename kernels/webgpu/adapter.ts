// A WebGPU adapter outside a browser: Dawn, from the optional package `webgpu`. The only file of this folder that knows
// Node; in a browser `navigator.gpu` takes its place.
import { existsSync, readdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { DeviceError } from '../backend.ts'

/** fp16 arithmetic on NVIDIA stands behind a toggle; timestamps are coarse unless their quantization is off. */
const toggles = [
  'enable-dawn-features=vulkan_enable_f16_on_nvidia,allow_unsafe_apis',
  'disable-dawn-features=timestamp_quantization',
]

/** As above; and memory of workgroups is cleared by a loop: the driver would compile a store for every word of it. */
const softwareToggles = [
  'enable-dawn-features=allow_unsafe_apis',
  'disable-dawn-features=timestamp_quantization,use_vulkan_zero_initialize_workgroup_memory_extension',
]

/** Where distributions put the software adapter: Debian's and Ubuntu's chromium, and others'. */
const softwareDrivers = [
  '/usr/lib/chromium/vk_swiftshader_icd.json',
  '/usr/lib64/chromium-browser/vk_swiftshader_icd.json',
  '/usr/lib/chromium-browser/vk_swiftshader_icd.json',
  '/opt/google/chrome/vk_swiftshader_icd.json',
]

export interface AdapterOptions {
  /** A part of its name, or its number in the driver's list; absent: the first. */
  readonly adapter?: string
  /** Take the software adapter where there is no other. It never hides one. */
  readonly software?: boolean
}

export interface OpenAdapter {
  readonly adapter: GPUAdapter
  /** Dawn's instance: must live as long as the adapter. */
  readonly gpu: GPU
}

type Create = (options: string[]) => GPU

/** The adapter asked for. Throws DeviceError where there is none, saying what to do. */
export async function openAdapter(options: AdapterOptions = {}): Promise<OpenAdapter> {
  const create = await dawn()
  const given = process.env.VK_ICD_FILENAMES?.includes('swiftshader') ? softwareToggles : toggles
  const found = hasDriver() ? await request(create, given, options.adapter) : undefined
  if (found) return found
  if (!options.software) throw new DeviceError(noAdapter)
  const driver = softwareDrivers.find((path) => existsSync(path))
  if (driver === undefined) {
    throw new DeviceError(`WebGPU in software: expected one of ${softwareDrivers.join(', ')}; install chromium`)
  }
  process.env.VK_ICD_FILENAMES = driver
  const software = await request(create, softwareToggles, undefined)
  if (software) return software
  throw new DeviceError(`WebGPU in software: no adapter from ${driver}; is libvulkan.so.1 there (Debian: libvulkan1)?`)
}

const noAdapter =
  'WebGPU: no adapter; expected a GPU with a Vulkan (Metal, Direct3D 12) driver and, on Linux, libvulkan.so.1 (Debian: libvulkan1)'

async function dawn(): Promise<Create> {
  try {
    return (await import('webgpu')).create
  } catch (error) {
    const { message } = error as Error
    throw new DeviceError(`WebGPU: cannot load the package webgpu (npm install webgpu): ${message.split('\n')[0]}`)
  }
}

/** Where Linux puts GPUs: NVIDIA's, those of Direct Rendering, AMD's, Windows' under WSL. */
const devices = ['/dev/nvidiactl', '/dev/dri', '/dev/kfd', '/dev/dxg']

/**
 * Whether there may be an adapter: a GPU, or a driver where the Vulkan loader looks for them. Asked first, because Dawn
 * writes warnings of its own to the terminal where there is none.
 */
export function hasDriver(environment: NodeJS.ProcessEnv = process.env, platform = process.platform): boolean {
  if (platform !== 'linux') return true
  const { VK_DRIVER_FILES, VK_ICD_FILENAMES, VK_ADD_DRIVER_FILES, HOME = homedir() } = environment
  if (VK_DRIVER_FILES || VK_ICD_FILENAMES || VK_ADD_DRIVER_FILES) return true
  if (devices.some((path) => existsSync(path))) return true
  const folders = [
    environment.XDG_CONFIG_HOME || join(HOME, '.config'),
    ...(environment.XDG_CONFIG_DIRS || '/etc/xdg').split(':'),
    '/usr/local/etc',
    '/etc',
    environment.XDG_DATA_HOME || join(HOME, '.local/share'),
    ...(environment.XDG_DATA_DIRS || '/usr/local/share:/usr/share').split(':'),
  ]
  return folders.some((folder) => {
    const drivers = join(folder, 'vulkan', 'icd.d')
    return existsSync(drivers) && readdirSync(drivers).some((name) => name.endsWith('.json'))
  })
}

async function request(
  create: Create,
  toggles: string[],
  adapter: string | undefined,
): Promise<OpenAdapter | undefined> {
  const name = adapter === undefined ? undefined : await adapterName(create, adapter)
  const gpu = create(name === undefined ? toggles : [...toggles, `adapter=${name}`])
  try {
    const found = await gpu.requestAdapter({ powerPreference: 'high-performance' })
    return found ? { adapter: found, gpu } : undefined
  } catch {
    return undefined
  }
}

/** Names of all adapters. Dawn tells them only where it is asked for one that is not there. */
async function adapterNames(create: Create): Promise<string[]> {
  try {
    await create(['adapter=\u0001']).requestAdapter()
    return []
  } catch (error) {
    return [...(error as Error).message.matchAll(/name: '([^']*)'/g)].map((m) => m[1] as string)
  }
}

/** Of a name, a part of one, or a number. Throws RangeError. */
async function adapterName(create: Create, asked: string): Promise<string | undefined> {
  const names = await adapterNames(create)
  if (names.length === 0) return undefined
  const name = /^\d+$/.test(asked)
    ? names[Number(asked)]
    : names.find((n) => n.toLowerCase().includes(asked.toLowerCase()))
  if (name === undefined) {
    throw new RangeError(
      `--adapter: expected one of ${names.map((n, i) => `${i} (${n})`).join(', ')}, or a part of a name, got ${asked}`,
    )
  }
  return name
}
