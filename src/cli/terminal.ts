/**
 * What a command says, and where: results on standard output, everything else (progress, notes, errors) on standard
 * error. Colour and bars only where a person is looking.
 */

import { SingleBar } from "cli-progress";
import picocolors from "picocolors";

/** A bar that shows up once the work has taken a second, however long its first step takes. */
export interface Progress {
  update(done: number): void;
  /** Takes the bar off the screen. */
  stop(): void;
}

export interface TerminalOptions {
  /** One JSON object a line instead of text for people. */
  readonly json: boolean;
  /** No notes, no bars. */
  readonly quiet: boolean;
}

/** Work that is done sooner needs no bar. */
const BAR_DELAY_MS = 1000;

/** Whoever reads standard output has closed it: there is nobody left to work for. */
export class OutputClosed extends Error {
  override readonly name = "OutputClosed";
}

export class Terminal {
  readonly json: boolean;
  readonly quiet: boolean;
  /** Colours for standard output. */
  readonly colors = colorsFor(process.stdout);
  private bar: Bar | undefined;

  constructor({ json, quiet }: TerminalOptions) {
    this.json = json;
    this.quiet = quiet;
  }

  /** Writes a line of the result; resolves once it is on its way, rejects where it can't be written. */
  async print(line: string): Promise<void> {
    if (process.stdout.isTTY) this.bar?.hide();
    await write(`${line}\n`);
  }

  /** Writes an object as one line of JSON. Numbers that JSON doesn't have become strings. */
  printJson(value: object): Promise<void> {
    return this.print(
      JSON.stringify(value, (_, field: unknown) =>
        typeof field === "number" && !Number.isFinite(field) ? String(field) : field,
      ),
    );
  }

  /** Says something beside the result, unless asked to be quiet. */
  note(text: string): void {
    if (!this.quiet) this.complain(text);
  }

  /** Says something beside the result, however quiet. */
  complain(line: string): void {
    this.bar?.hide();
    process.stderr.write(`${line}\n`);
  }

  /** Shows how far a piece of work has come; on a terminal alone. */
  progress(title: string, total: number, unit = ""): Progress {
    this.bar?.stop();
    if (!process.stderr.isTTY || this.quiet) return { update: () => undefined, stop: () => undefined };
    this.bar = new Bar(title, total, unit);
    return this.bar;
  }

  /** Takes what is not a result off the screen. */
  close(): void {
    this.bar?.stop();
    this.bar = undefined;
  }
}

class Bar implements Progress {
  private readonly bar: SingleBar;
  private readonly total: number;
  private readonly start = performance.now();
  private readonly delayed: NodeJS.Timeout;
  private done = 0;
  private stopped = false;

  constructor(title: string, total: number, unit: string) {
    this.total = total;
    this.bar = new SingleBar({
      format: `${title} {bar} {value}/{total}${unit} {left}`,
      stream: process.stderr,
      barsize: 24,
      barCompleteChar: "█",
      barIncompleteChar: "░",
      clearOnComplete: true,
      hideCursor: true,
      // The command itself catches signals, and the bar is taken down with it.
      gracefulExit: false,
    });
    this.delayed = setTimeout(() => this.update(this.done), BAR_DELAY_MS + 1).unref();
  }

  update(done: number): void {
    this.done = done;
    if (this.stopped) return;
    if (this.bar.isActive) this.bar.update(done, { left: this.timeLeft() });
    else if (performance.now() - this.start > BAR_DELAY_MS && done < this.total) this.show();
  }

  /** Makes room for a line; the next update brings the bar back. */
  hide(): void {
    if (this.bar.isActive) this.bar.stop();
  }

  stop(): void {
    this.hide();
    clearTimeout(this.delayed);
    this.stopped = true;
  }

  private show(): void {
    this.bar.start(this.total, this.done, { left: this.timeLeft() });
  }

  /** From the whole time so far: the library's own estimate starts over whenever the bar makes room. */
  private timeLeft(): string {
    if (this.done === 0) return "";
    const seconds = Math.ceil(((performance.now() - this.start) / 1000 / this.done) * (this.total - this.done));
    const minutes = Math.floor(seconds / 60);
    return minutes > 0 ? `· ${minutes} min ${seconds % 60} s left` : `· ${seconds} s left`;
  }
}

/** Colours where the stream is a terminal that has them; https://no-color.org is honoured. */
function colorsFor(stream: NodeJS.WriteStream): ReturnType<typeof picocolors.createColors> {
  const { NO_COLOR, TERM } = process.env;
  return picocolors.createColors(stream.isTTY && !NO_COLOR && TERM !== "dumb");
}

function write(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => {
      if (!error) resolve();
      else if ("code" in error && error.code === "EPIPE") reject(new OutputClosed("standard output was closed"));
      else reject(error);
    });
  });
}
