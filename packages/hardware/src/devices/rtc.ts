/**
 * The real-time clock: an MC146818 with 50 bytes of RAM, and beside it the station address ROM of the KN01.
 *
 * Register n is the low byte of word n; byte n of the ROM is the second byte of word n (n < 32). Time registers are kept
 * as the chip keeps them, in the format that register B selects, and advance once a second; values out of range advance
 * to the start of their range. With DSE the hour after 1:59:59 am is skipped on April's last Sunday and comes twice on
 * October's. While register A holds the divider in reset there are neither updates nor periodic ticks; the first update
 * comes half a second after its release. Interrupt line 5. Nothing is connected to the square-wave output.
 *
 * Assumption: the divider starts at power-on, and is set for the 32 kHz crystal with every value of register A but reset; an
 * update takes no time. UIP warns of it 244 us before. Source: [MC146818].
 */
import type { Device } from '../bus/bus.ts';
import type { Clock, Timer } from '../bus/clock.ts';
import { MOST_CYCLES, type StateStream } from '../state/state-stream.ts';
import { civilDate, daysInMonth } from './calendar.ts';

const LINE = 5;

const SECONDS = 0;
const MINUTES = 2;
const HOURS = 4;
const WEEKDAY = 6;
const DAY = 7;
const MONTH = 8;
const YEAR = 9;
const A = 10;
const B = 11;
const C = 12;
const D = 13;
/**
 * A byte of the RAM in which Linux keeps the real year, because the firmware sets register 9 to 72 or 73. Linux takes the year to be 2000 +
 * register 9 + this byte − 72 [LINUX arch/mips/dec/time.c]. With 72 here, register 9 counts from 2000.
 */
const LINUX_YEAR = 63;
const LINUX_YEAR_BASE = 72;

/**
 * Register A: update in progress, divider held in reset. Register B: stop, interrupt enables, binary, 24 hours, daylight
 * saving. Register C: request, flags.
 */
const UIP = 0x80;
const DIVIDER_RESET = 0x60;
const SET = 0x80;
const PERIODIC = 0x40;
const ALARM = 0x20;
const UPDATE = 0x10;
const BINARY = 0x04;
const HOURS_24 = 0x02;
const DSE = 0x01;
const IRQF = 0x80;
const PM = 0x80;

const UIP_SECONDS = 244e-6;

/** The clock at 0x1d000000. */
export class RealTimeClock implements Device {
  readonly base: number = 0x1d000000;
  readonly bytes: number = 0x100;
  readonly #registers = new Uint8Array(64);
  readonly #rom: Uint8Array;
  readonly #clock: Clock;
  readonly #setLine: (line: number, level: boolean) => void;
  readonly #second: Timer;
  readonly #tick: Timer;
  /** Flags of register C. The periodic flag is also raised while two tick counts differ. */
  #flags = 0;
  #seenTick = 0;
  /** The cycle at which the divider began. */
  #base = 0;
  /** This is the second hour after 1 am on October's last Sunday. */
  #fellBack = false;

  /** `startTime` in seconds since 1970; `mac` is what the ROM holds. */
  constructor(clock: Clock, setLine: (line: number, level: boolean) => void, startTime: number, mac: Uint8Array) {
    this.#clock = clock;
    this.#setLine = setLine;
    this.#rom = stationAddressRom(mac);
    const r = this.#registers;
    r[A] = 0x20;
    r[B] = BINARY | HOURS_24;
    const { year, month, day, weekday } = civilDate(Math.floor(startTime / 86400));
    r[SECONDS] = startTime % 60;
    r[MINUTES] = Math.floor(startTime / 60) % 60;
    r[HOURS] = Math.floor(startTime / 3600) % 24;
    r[WEEKDAY] = weekday;
    r[DAY] = day;
    r[MONTH] = month;
    r[YEAR] = year % 100;
    if (startTime !== 0) r[LINUX_YEAR] = LINUX_YEAR_BASE;
    this.#second = clock.timer((at) => {
      this.#second.arm(at + clock.hz);
      this.#advance();
    });
    this.#second.arm(clock.hz);
    this.#tick = clock.timer(() => {
      this.#update();
    });
  }

  state(s: StateStream): void {
    s.bytes(this.#registers);
    s.timer(this.#second);
    s.timer(this.#tick);
    this.#flags = s.integer(this.#flags, 0, 0xff);
    this.#seenTick = s.integer(this.#seenTick, 0, MOST_CYCLES);
    this.#base = s.integer(this.#base, 0, MOST_CYCLES);
    this.#fellBack = s.flag(this.#fellBack);
  }

  read(offset: number): number {
    const index = offset >>> 2;
    return this.#readRegister(index) | ((this.#rom[index] ?? 0) << 8);
  }

  write(offset: number, value: number, mask: number): void {
    const index = offset >>> 2;
    if ((mask & 0xff) === 0 || index === C || index === D) return;
    const byte = value & 0xff;
    const held = this.#held;
    // A tick stays pending until register C is read, also when the rate changes.
    if (index === A) this.#flags = this.#raised();
    this.#registers[index] = index === A ? byte & ~UIP : byte;
    if (index === A) {
      if (held !== this.#held) this.#restart();
      this.#seenTick = this.#ticks();
    }
    if (index === B && (byte & SET) !== 0) this.#registers[B] = byte & ~UPDATE; // SET clears UIE
    if (index === A || index === B) this.#update();
  }

  #get(index: number): number {
    return this.#registers[index] ?? 0;
  }

  get #held(): boolean {
    return (this.#get(A) & DIVIDER_RESET) === DIVIDER_RESET;
  }

  /** The divider is held from now on, or begins in the middle of a second. */
  #restart(): void {
    if (this.#held) {
      this.#second.disarm();
      return;
    }
    const { now, hz } = this.#clock;
    this.#base = now - hz / 2;
    this.#second.arm(this.#base + hz);
  }

  #readRegister(index: number): number {
    switch (index) {
      case A: {
        const soon = this.#second.armed && this.#second.at - this.#clock.now <= UIP_SECONDS * this.#clock.hz;
        return this.#get(A) | (soon && (this.#get(B) & SET) === 0 ? UIP : 0);
      }
      case C: {
        const flags = this.#raised();
        this.#flags = 0;
        this.#seenTick = this.#ticks();
        this.#update();
        return flags | ((flags & this.#get(B) & (PERIODIC | ALARM | UPDATE)) !== 0 ? IRQF : 0);
      }
      case D:
        return 0x80; // valid RAM and time
      default:
        return this.#get(index);
    }
  }

  // ---- Interrupts

  /** Periodic ticks per second by register A; 0 for none. */
  get #rate(): number {
    if (this.#held) return 0;
    const select = this.#get(A) & 15;
    if (select === 0) return 0;
    return select < 3 ? 512 >> select : 32768 >> (select - 1);
  }

  /** Periodic ticks since the divider began. Whole seconds are split off so that the product stays exact. */
  #ticks(): number {
    const { now, hz } = this.#clock;
    const time = now - this.#base;
    const seconds = Math.floor(time / hz);
    return seconds * this.#rate + Math.floor(((time - seconds * hz) * this.#rate) / hz);
  }

  #raised(): number {
    return this.#flags | (this.#ticks() > this.#seenTick ? PERIODIC : 0);
  }

  /** Drives the line, and sets the timer for the next periodic tick if it is to interrupt. */
  #update(): void {
    const enabled = this.#get(B) & (PERIODIC | ALARM | UPDATE);
    const raised = this.#raised();
    this.#setLine(LINE, (raised & enabled) !== 0);
    const rate = this.#rate;
    if (rate === 0 || (enabled & PERIODIC & ~raised) === 0) {
      this.#tick.disarm();
      return;
    }
    const { hz } = this.#clock;
    const next = this.#ticks() + 1;
    const seconds = Math.floor(next / rate);
    this.#tick.arm(this.#base + seconds * hz + ((next - seconds * rate) * hz) / rate);
  }

  // ---- Time of day

  #advance(): void {
    if ((this.#get(B) & SET) !== 0) return;
    if (this.#changesClocks()) this.#changeClocks();
    else if (this.#step(SECONDS, 0, 59) && this.#step(MINUTES, 0, 59) && this.#stepHour()) {
      this.#step(WEEKDAY, 1, 7);
      const last = daysInMonth(this.#value(MONTH), this.#value(YEAR));
      if (this.#step(DAY, 1, last) && this.#step(MONTH, 1, 12)) this.#step(YEAR, 0, 99);
    }
    this.#flags |= UPDATE | (this.#atAlarm() ? ALARM : 0);
    this.#update();
  }

  /** It is 1:59:59 am on a Sunday that daylight saving begins or ends on, and it has not ended before. */
  #changesClocks(): boolean {
    const time = [HOURS, MINUTES, SECONDS].map((index) => this.#value(index));
    if ((this.#get(B) & DSE) === 0 || time.join(':') !== '1:59:59' || this.#value(WEEKDAY) !== 1) return false;
    const month = this.#value(MONTH);
    const last = this.#value(DAY) > daysInMonth(month, this.#value(YEAR)) - 7;
    if (!last || (month !== 4 && month !== 10)) return false;
    const again = month === 10 && this.#fellBack;
    this.#fellBack = month === 10 && !again;
    return !again;
  }

  /** 3 am in April, and 1 am again in October. */
  #changeClocks(): void {
    this.#store(SECONDS, 0);
    this.#store(MINUTES, 0);
    this.#store(HOURS, this.#value(MONTH) === 4 ? 3 : 1);
  }

  #value(index: number): number {
    const raw = this.#get(index);
    return (this.#get(B) & BINARY) !== 0 ? raw : (raw >>> 4) * 10 + (raw & 15);
  }

  #store(index: number, value: number): void {
    this.#registers[index] = (this.#get(B) & BINARY) !== 0 ? value : (Math.floor(value / 10) << 4) | (value % 10);
  }

  /** Adds one; past `last` starts again at `first` and returns true. */
  #step(index: number, first: number, last: number): boolean {
    const value = this.#value(index) + 1;
    this.#store(index, value > last ? first : value);
    return value > last;
  }

  /** Hours are 0 to 23, or 1 to 12 with a bit for the afternoon. Returns true at midnight. */
  #stepHour(): boolean {
    if ((this.#get(B) & HOURS_24) !== 0) return this.#step(HOURS, 0, 23);
    const afternoon = this.#get(HOURS) & PM;
    this.#registers[HOURS] = this.#get(HOURS) & ~PM;
    const reached12 = this.#value(HOURS) === 11;
    this.#step(HOURS, 1, 12);
    const now = reached12 ? afternoon ^ PM : afternoon;
    this.#registers[HOURS] = this.#get(HOURS) | now;
    return reached12 && now === 0;
  }

  /** Alarm registers of 0xc0 and above match every value. */
  #atAlarm(): boolean {
    for (let index = SECONDS; index <= HOURS; index += 2) {
      const alarm = this.#get(index + 1);
      if (alarm < 0xc0 && alarm !== this.#get(index)) return false;
    }
    return true;
  }
}

/**
 * The ROM that holds an Ethernet address, as Digital lays it out: address, checksum, both reversed, both again, and a test
 * pattern.
 */
function stationAddressRom(mac: Uint8Array): Uint8Array {
  let sum = 0;
  for (let i = 0; i < 6; i += 2) {
    sum = (2 * sum) % 0xffff;
    sum = (sum + (mac[i] ?? 0) + ((mac[i + 1] ?? 0) << 8)) % 0xffff;
  }
  const block = [...mac.subarray(0, 6), sum & 0xff, sum >>> 8];
  return Uint8Array.of(...block, ...block.toReversed(), ...block, 0xff, 0, 0x55, 0xaa, 0xff, 0, 0x55, 0xaa);
}
