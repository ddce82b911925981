// Places labels around their points so that none covers another label or point. Greedy: the first labels get the best
// places. Pure geometry, in pixels, y downwards.

export interface Box {
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
}

export interface Circle {
  readonly x: number
  readonly y: number
  readonly r: number
}

export interface Label {
  readonly at: Circle
  readonly width: number
  readonly height: number
}

export interface Placed {
  readonly box: Box
  /** Whether it lies so far out that a line must lead to its point. */
  readonly leader: boolean
}

const directions = [-45, 45, -135, 135, 0, 180, -90, 90, -20, 20, -160, 160, -70, 70, -110, 110]
const distances = [3, 9, 16, 25, 36, 50, 66, 84, 104, 128]

/** A place for each label within `area`, in order; `taken` and the circles stay free. */
export function place(
  labels: readonly Label[],
  circles: readonly Circle[],
  area: Box,
  taken: readonly Box[] = [],
): Placed[] {
  const boxes = [...taken]
  return labels.map((label) => {
    const best = candidates(label)
      .filter(({ box }) => inside(box, area))
      .map((c) => ({ ...c, cost: c.cost + obstruction(c.box, boxes, circles) }))
      .sort((a, b) => a.cost - b.cost)[0]
    const { box, leader } = best ?? { box: centred(label, label.at.x, label.at.y), leader: false }
    boxes.push(box)
    return { box, leader }
  })
}

function candidates(label: Label): (Placed & { cost: number })[] {
  const { x, y, r } = label.at
  return distances.flatMap((distance) =>
    directions.map((degrees, preference) => {
      const angle = (degrees * Math.PI) / 180
      const [dx, dy] = [Math.cos(angle), Math.sin(angle)]
      // From the circle's edge to the box's nearest edge.
      const reach = r + distance
      const box = centred(label, x + dx * (reach + label.width / 2), y + dy * (reach + label.height / 2))
      return { box, leader: distance > 9, cost: distance + preference * 0.3 }
    }),
  )
}

function centred({ width, height }: Label, x: number, y: number): Box {
  return { left: x - width / 2, right: x + width / 2, top: y - height / 2, bottom: y + height / 2 }
}

/** What lies under a box: other labels weigh most, then points. */
function obstruction(box: Box, boxes: readonly Box[], circles: readonly Circle[]): number {
  let cost = 0
  for (const other of boxes) if (overlap(box, other)) cost += 1000
  for (const circle of circles) if (touches(box, circle)) cost += 150
  return cost
}

export function overlap(a: Box, b: Box): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom
}

export function touches(box: Box, { x, y, r }: Circle): boolean {
  const dx = x - Math.max(box.left, Math.min(x, box.right))
  const dy = y - Math.max(box.top, Math.min(y, box.bottom))
  return dx * dx + dy * dy < r * r
}

export function inside(box: Box, area: Box): boolean {
  return box.left >= area.left && box.right <= area.right && box.top >= area.top && box.bottom <= area.bottom
}

/** Places that rise, moved so that neighbours are `gap` apart and the last is at most at `most`; others stay. */
export function apart(places: readonly number[], gap: number, most: number): number[] {
  let last = Number.NEGATIVE_INFINITY
  const down = places.map((at) => {
    last = Math.max(at, last + gap)
    return last
  })
  let next = most + gap
  return down
    .toReversed()
    .map((at) => {
      next = Math.min(at, next - gap)
      return next
    })
    .toReversed()
}
