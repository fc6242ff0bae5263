/**
 * Every instruction that the decoder knows: `name: [opcode, immediates, operands, results]`.
 *
 * Opcodes behind the prefix 0xfc stand from 0x100 on. Operands and results are letters: `i` i32, `l` i64, `f` f32, `d` f64. What has `*`
 * is polymorphic: the validator knows it. Source: [WASM §5.4, §3.3].
 */

/**
 * Immediates: `''` none; `block` a block's type; `label`, `labels`; `index` of a local, a global or a function; `indirect` a type and a
 * table; `access` an alignment and an offset; `i32`, `i64`, `f32`, `f64` constants; `zero` one reserved byte; `zeros` two of them; `data` a segment and a
 * reserved byte; `segment` a segment; `types` of a select; `table` what only reference types have.
 */
type Immediates =
  | ''
  | 'block'
  | 'label'
  | 'labels'
  | 'index'
  | 'indirect'
  | 'access'
  | 'i32'
  | 'i64'
  | 'f32'
  | 'f64'
  | 'zero'
  | 'zeros'
  | 'data'
  | 'segment'
  | 'types'
  | 'table';

export type Row = readonly [opcode: number, immediates: Immediates, operands: string, results: string];

const unary = (first: number, type: string, names: string): Record<string, Row> =>
  Object.fromEntries(names.split(' ').map((name, i) => [name, [first + i, '', type, type]]));
const binary = (first: number, type: string, names: string): Record<string, Row> =>
  Object.fromEntries(names.split(' ').map((name, i) => [name, [first + i, '', type + type, type]]));
const compare = (first: number, type: string, names: string): Record<string, Row> =>
  Object.fromEntries(names.split(' ').map((name, i) => [name, [first + i, '', type + type, 'i']]));
const prefixed = (prefix: string, names: string): string =>
  names
    .split(' ')
    .map((name) => `${prefix}.${name}`)
    .join(' ');
const loads = (first: number, rows: string): Record<string, Row> =>
  Object.fromEntries(rows.split(' ').map((row, i) => [row.slice(2), [first + i, 'access', 'i', row[0] ?? '']]));
const stores = (first: number, rows: string): Record<string, Row> =>
  Object.fromEntries(rows.split(' ').map((row, i) => [row.slice(2), [first + i, 'access', `i${row[0] ?? ''}`, '']]));
const convert = (first: number, rows: string): Record<string, Row> =>
  Object.fromEntries(rows.split(' ').map((row, i) => [row.slice(3), [first + i, '', row[0] ?? '', row[1] ?? '']]));

const INTEGER_COMPARE = 'eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u';
const FLOAT_COMPARE = 'eq ne lt gt le ge';
const INTEGER_BINARY = 'add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr';
const FLOAT_UNARY = 'abs neg ceil floor trunc nearest sqrt';
const FLOAT_BINARY = 'add sub mul div min max copysign';

export const INSTRUCTION_SET: Readonly<Record<string, Row>> = {
  unreachable: [0x00, '', '*', '*'],
  nop: [0x01, '', '', ''],
  block: [0x02, 'block', '*', '*'],
  loop: [0x03, 'block', '*', '*'],
  if: [0x04, 'block', '*', '*'],
  else: [0x05, '', '*', '*'],
  end: [0x0b, '', '*', '*'],
  br: [0x0c, 'label', '*', '*'],
  br_if: [0x0d, 'label', '*', '*'],
  br_table: [0x0e, 'labels', '*', '*'],
  return: [0x0f, '', '*', '*'],
  call: [0x10, 'index', '*', '*'],
  call_indirect: [0x11, 'indirect', '*', '*'],
  drop: [0x1a, '', '*', ''],
  select: [0x1b, '', '*', '*'],
  'select t': [0x1c, 'types', '*', '*'],
  'local.get': [0x20, 'index', '*', '*'],
  'local.set': [0x21, 'index', '*', '*'],
  'local.tee': [0x22, 'index', '*', '*'],
  'global.get': [0x23, 'index', '*', '*'],
  'global.set': [0x24, 'index', '*', '*'],
  'table.get': [0x25, 'table', '*', '*'],
  'table.set': [0x26, 'table', '*', '*'],
  ...loads(0x28, 'i:i32.load l:i64.load f:f32.load d:f64.load'),
  ...loads(0x2c, 'i:i32.load8_s i:i32.load8_u i:i32.load16_s i:i32.load16_u'),
  ...loads(0x30, 'l:i64.load8_s l:i64.load8_u l:i64.load16_s l:i64.load16_u l:i64.load32_s l:i64.load32_u'),
  ...stores(0x36, 'i:i32.store l:i64.store f:f32.store d:f64.store i:i32.store8 i:i32.store16'),
  ...stores(0x3c, 'l:i64.store8 l:i64.store16 l:i64.store32'),
  'memory.size': [0x3f, 'zero', '', 'i'],
  'memory.grow': [0x40, 'zero', 'i', 'i'],
  'i32.const': [0x41, 'i32', '', 'i'],
  'i64.const': [0x42, 'i64', '', 'l'],
  'f32.const': [0x43, 'f32', '', 'f'],
  'f64.const': [0x44, 'f64', '', 'd'],
  'i32.eqz': [0x45, '', 'i', 'i'],
  ...compare(0x46, 'i', prefixed('i32', INTEGER_COMPARE)),
  'i64.eqz': [0x50, '', 'l', 'i'],
  ...compare(0x51, 'l', prefixed('i64', INTEGER_COMPARE)),
  ...compare(0x5b, 'f', prefixed('f32', FLOAT_COMPARE)),
  ...compare(0x61, 'd', prefixed('f64', FLOAT_COMPARE)),
  ...unary(0x67, 'i', prefixed('i32', 'clz ctz popcnt')),
  ...binary(0x6a, 'i', prefixed('i32', INTEGER_BINARY)),
  ...unary(0x79, 'l', prefixed('i64', 'clz ctz popcnt')),
  ...binary(0x7c, 'l', prefixed('i64', INTEGER_BINARY)),
  ...unary(0x8b, 'f', prefixed('f32', FLOAT_UNARY)),
  ...binary(0x92, 'f', prefixed('f32', FLOAT_BINARY)),
  ...unary(0x99, 'd', prefixed('f64', FLOAT_UNARY)),
  ...binary(0xa0, 'd', prefixed('f64', FLOAT_BINARY)),
  ...convert(
    0xa7,
    'li:i32.wrap_i64 fi:i32.trunc_f32_s fi:i32.trunc_f32_u di:i32.trunc_f64_s di:i32.trunc_f64_u il:i64.extend_i32_s il:i64.extend_i32_u ' +
      'fl:i64.trunc_f32_s fl:i64.trunc_f32_u dl:i64.trunc_f64_s dl:i64.trunc_f64_u if:f32.convert_i32_s if:f32.convert_i32_u ' +
      'lf:f32.convert_i64_s lf:f32.convert_i64_u df:f32.demote_f64 id:f64.convert_i32_s id:f64.convert_i32_u ld:f64.convert_i64_s ' +
      'ld:f64.convert_i64_u fd:f64.promote_f32 fi:i32.reinterpret_f32 dl:i64.reinterpret_f64 if:f32.reinterpret_i32 ld:f64.reinterpret_i64',
  ),
  ...unary(0xc0, 'i', 'i32.extend8_s i32.extend16_s'),
  ...unary(0xc2, 'l', 'i64.extend8_s i64.extend16_s i64.extend32_s'),
  'ref.null': [0xd0, 'table', '*', '*'],
  'ref.is_null': [0xd1, 'table', '*', '*'],
  'ref.func': [0xd2, 'table', '*', '*'],
  ...convert(
    0x100,
    'fi:i32.trunc_sat_f32_s fi:i32.trunc_sat_f32_u di:i32.trunc_sat_f64_s di:i32.trunc_sat_f64_u ' +
      'fl:i64.trunc_sat_f32_s fl:i64.trunc_sat_f32_u dl:i64.trunc_sat_f64_s dl:i64.trunc_sat_f64_u',
  ),
  'memory.init': [0x108, 'data', 'iii', ''],
  'data.drop': [0x109, 'segment', '', ''],
  'memory.copy': [0x10a, 'zeros', 'iii', ''],
  'memory.fill': [0x10b, 'zero', 'iii', ''],
  'table.init': [0x10c, 'table', '*', '*'],
  'elem.drop': [0x10d, 'table', '*', '*'],
  'table.copy': [0x10e, 'table', '*', '*'],
  'table.grow': [0x10f, 'table', '*', '*'],
  'table.size': [0x110, 'table', '*', '*'],
  'table.fill': [0x111, 'table', '*', '*'],
};

/** By opcode: name and row. */
export const BY_OPCODE: readonly ({ readonly name: string; readonly row: Row } | undefined)[] = ((): (
  | {
      readonly name: string;
      readonly row: Row;
    }
  | undefined
)[] => {
  const table: ({ readonly name: string; readonly row: Row } | undefined)[] = new Array<undefined>(0x112).fill(
    undefined,
  );
  for (const [name, row] of Object.entries(INSTRUCTION_SET)) table[row[0]] = { name, row };
  return table;
})();

/** The alignment that an access has by nature: log2 of its bytes. */
export function naturalAlignment(name: string): number {
  if (name.includes('8')) return 0;
  if (name.includes('16')) return 1;
  if (/(?:load|store)32/.test(name)) return 2;
  return name.startsWith('i64') || name.startsWith('f64') ? 3 : 2;
}
