/** The last minutes of one host: what the server kept, and what has come since, in columns over common times. */

export const SHOWN_S = 600;
const OF_DEVICE = ["utilization", "memory_bytes", "power_w", "temperature_c"];

/** @typedef {{jobId: string, powerLimitW: number | null} & Record<string, (number | null)[]>} DeviceColumns */

export class History {
  /** @type {number[]} unix seconds by the clock of the bus */ times = [];
  own = { processor: [], memory_bytes: [] };
  /** @type {Map<number, DeviceColumns>} by index */ devices = new Map();

  get newest() {
    return this.times.at(-1) ?? 0;
  }

  /** @param {any} view HostReadingsView; what is newer here stays */
  load(view) {
    const later = this.#after(view.times.at(-1) ?? 0);
    this.times = [...view.times];
    this.own = { processor: [...view.processor], memory_bytes: [...view.memory_bytes] };
    this.devices = new Map(view.devices.map((device) => {
      const columns = Object.fromEntries(OF_DEVICE.map((name) => [name, [...device[name]]]));
      return [device.index, { jobId: device.job_id, powerLimitW: device.power_limit_w, ...columns }];
    }));
    for (const reading of later) this.append(reading);
  }

  /** @param {any} reading one HostReading with its time `t` */
  append(reading) {
    if (reading.t <= this.newest) return;
    this.times.push(reading.t);
    this.own.processor.push(reading.processor);
    this.own.memory_bytes.push(reading.memory_bytes);
    for (const [index, jobId, utilization, memory, power, powerLimitW, temperature] of reading.devices) {
      const columns = this.#device(index);
      Object.assign(columns, { jobId, powerLimitW });
      [utilization, memory, power, temperature].forEach((value, at) => columns[OF_DEVICE[at]].push(value));
    }
    this.#fillAndTrim();
  }

  #device(index) {
    if (!this.devices.has(index)) {
      const empty = () => new Array(this.times.length - 1).fill(null);
      this.devices.set(index, {
        jobId: "", powerLimitW: null, ...Object.fromEntries(OF_DEVICE.map((name) => [name, empty()])),
      });
    }
    return this.devices.get(index);
  }

  /** A device that was not told of has a gap; what is too old goes. */
  #fillAndTrim() {
    const columns = [...this.devices.values()].flatMap((device) => OF_DEVICE.map((name) => device[name]));
    for (const column of columns) if (column.length < this.times.length) column.push(null);
    const numOld = this.times.findIndex((time) => time > this.newest - SHOWN_S);
    if (numOld <= 0) return;
    for (const column of [this.times, this.own.processor, this.own.memory_bytes, ...columns]) column.splice(0, numOld);
  }

  /** What came after a time, as it was told. */
  #after(time) {
    return this.times.flatMap((t, at) => (t <= time ? [] : [{
      t,
      processor: this.own.processor[at],
      memory_bytes: this.own.memory_bytes[at],
      devices: [...this.devices].map(([index, device]) => [
        index, device.jobId, device.utilization[at], device.memory_bytes[at], device.power_w[at], device.powerLimitW,
        device.temperature_c[at],
      ]),
    }]));
  }
}
