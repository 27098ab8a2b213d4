// A disk for one node: a file with ext4 in it, mounted by a loop device. It can be filled, and its
// power can be cut: the file system is told to stop at once without writing anything more
// (EXT4_IOC_SHUTDOWN), so that only what was synced is there after the next mount.

import { mkdirSync, rmSync, statfsSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { command } from './command.ts'

const MEGABYTE = 1024 * 1024
const FILLER = 'filler'
/** _IOR('X', 125, __u32) with EXT4_GOING_FLAGS_NOLOGFLUSH. */
const SHUTDOWN = `
  open(my $folder, '<', $ARGV[0]) or die "$!";
  my $flags = pack('L', 2);
  defined ioctl($folder, 0x8004587d, $flags) or die "$!";
`

export class Disk {
  /** Where it is mounted. */
  readonly folder: string
  private readonly image: string

  private constructor(image: string, folder: string) {
    this.image = image
    this.folder = folder
  }

  /** A new, empty one. */
  static async create(place: {
    readonly image: string
    readonly folder: string
    readonly megabytes: number
  }): Promise<Disk> {
    const { image, folder, megabytes } = place
    mkdirSync(dirname(image), { recursive: true })
    mkdirSync(folder, { recursive: true })
    writeFileSync(image, '')
    truncateSync(image, megabytes * MEGABYTE)
    await command('mkfs.ext4', ['-q', '-F', '-m', '0', image])
    const disk = new Disk(image, folder)
    await disk.mount()
    return disk
  }

  async mount(): Promise<void> {
    await command('mount', ['-o', 'loop', this.image, this.folder])
  }

  async unmount(): Promise<void> {
    await command('umount', [this.folder])
  }

  /** Everything on it fails from now on. Then end its processes, unmount it and mount it again. */
  async cutPower(): Promise<void> {
    await command('perl', ['-e', SHUTDOWN, this.folder])
  }

  /** Takes all room that is left, down to single blocks. */
  async fill(): Promise<void> {
    for (let part = 0; part < 40; part++) {
      const { bavail, bsize } = statfsSync(this.folder)
      const bytes = Math.floor((bavail * bsize) / (part % 2 === 0 ? 1 : 2))
      if (bytes < bsize) return
      const file = join(this.folder, `${FILLER}-${part}`)
      // Not enough after all: the next part asks for less.
      await command('fallocate', ['-l', String(bytes), file]).catch(() => undefined)
    }
  }

  free(): void {
    for (let part = 0; part < 40; part++) {
      rmSync(join(this.folder, `${FILLER}-${part}`), { force: true })
    }
  }
}
