/** A wait that ends early when something comes for the machine. */

export class Doze {
  #awake: (() => void) | undefined;

  /** Resolves after `ms` milliseconds, or at the next `wake`. One wait at a time. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(done, ms);
      this.#awake = done;
      function done(): void {
        clearTimeout(timer);
        resolve();
      }
    });
  }

  /** Ends the wait that there is. */
  readonly wake = (): void => {
    this.#awake?.();
  };
}
