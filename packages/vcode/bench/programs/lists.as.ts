// A linked list: build, merge sort, find, reverse.
@unmanaged
class Item {
  next: Item | null;
  key: i32;
  value: i32;
}
const pool = memory.data(2000 * 12);
function merge(x: Item | null, y: Item | null): Item | null {
  let a = x;
  let b = y;
  let tail: Item = changetype<Item>(memory.data(12));
  const first = tail;
  while (a && b) {
    if (a.key <= b.key) {
      tail.next = a;
      tail = a;
      a = a.next;
    } else {
      tail.next = b;
      tail = b;
      b = b.next;
    }
  }
  tail.next = a ? a : b;
  return first.next;
}
function sort(list: Item | null): Item | null {
  if (!list || !list.next) return list;
  let slow: Item = list;
  let fast: Item | null = list.next;
  while (fast && fast.next) {
    slow = changetype<Item>(slow.next);
    fast = changetype<Item>(fast.next).next;
  }
  const second = slow.next;
  slow.next = null;
  return merge(sort(list), sort(second));
}
function find(list: Item | null, key: i32): i32 {
  let p = list;
  while (p) {
    if (p.key == key) return p.value;
    p = p.next;
  }
  return -1;
}
function reverse(list: Item | null): Item | null {
  let before: Item | null = null;
  let p = list;
  while (p) {
    const next = p.next;
    p.next = before;
    before = p;
    p = next;
  }
  return before;
}
function at(i: i32): Item {
  return changetype<Item>(pool + i * 12);
}
export function run(): u32 {
  let seed: u32 = 12345;
  let sum: u32 = 0;
  let list: Item | null = null;
  for (let i: i32 = 0; i < 2000; i++) {
    seed = seed * 1664525 + 1013904223;
    const item = at(i);
    item.key = (seed >> 12) & 0xffff;
    item.value = i;
    item.next = list;
    list = item;
  }
  list = sort(list);
  for (let i: i32 = 0; i < 100; i++) sum = sum * 17 + find(list, at(i * 19).key);
  list = reverse(list);
  let p = list;
  while (p) {
    sum = sum * 31 + p.key;
    p = p.next;
  }
  return sum;
}
