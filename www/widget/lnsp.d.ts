// Types of the widget: elements, their attributes as properties, methods and events.

/** What all three elements share. */
export interface LnspElement<Result> extends HTMLElement {
  /** `auto` (default), `gpu` or `cpu`. */
  device: string;
  /** `light`, `dark`, or nothing: as the page's `color-scheme` says. */
  theme: string;
  /** Computes, in view or not, and promises the result. */
  run(): Promise<Result>;
  /** Ends the view and frees what it held; other elements go on. `run()` makes another. */
  dispose(): void;
  addEventListener<K extends keyof LnspEvents<Result>>(
    type: K,
    listener: (event: LnspEvents<Result>[K]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void;
}

/** Events; all bubble. */
export interface LnspEvents<Result> {
  'lnsp-ready': CustomEvent<{ version: string }>;
  'lnsp-progress': CustomEvent<{ share: number | null; text: string }>;
  'lnsp-result': CustomEvent<Result>;
  'lnsp-error': CustomEvent<{ message: string }>;
}

/** A mean and its 95 % interval. */
export interface Interval {
  mean: number;
  low: number;
  high: number;
}

/** One code beside the teacher. */
export interface Code {
  name: string;
  kind: string;
  bytes_per_vector: number;
  /** Whether the query keeps more precision than what is stored. */
  asymmetric: boolean;
  /** Mean share of the teacher's nearest neighbours that stay. */
  overlap: number;
  /** The same with its 95 % interval. */
  interval: Interval;
  /** Mean share of the nearest that are of a sentence's own topic; shipped sentences have topics. */
  same_label: Interval | null;
  /** Mean cosine of vectors and what the code gives back. */
  reconstruction: number | null;
  /** Cosines among the sentences shown, row after row. */
  cosines: number[];
  /** The nearest of each sentence shown; `before` is the place with the teacher, from 1. */
  neighbours: { row: number; cosine: number; before: number | null }[][];
}

/** What `<lnsp-compare>` finds. */
export interface Comparison {
  side_by_side: { vectors: number; k: number; shown: number[]; codes: Code[]; verdict: string[] };
  device: string;
  fitted_on: string;
  notes: string[];
  /** The sentences shown. */
  sentences: string[];
}

/** `<lnsp-compare>`: sentences before and after compression. */
export interface LnspCompare extends LnspElement<Comparison> {
  /**
   * A shipped student (`default-256`, `student-512`, `student-1024`, and `coded-96`, `coded-48` with
   * latents of a few bits), or the address of a file.
   */
  student: string;
  /** Instead: 256, 512 or 1024. */
  width: string;
  /** Sentences, an array or one a line; other than the shipped ones they need the teacher. */
  sentences: string | string[];
  /** Topics of shipped sentences, counted from 0: `0,1,2`. */
  topics: string;
  /** `all` (default), `none`, or parts of names: `int8,PCA`. */
  baselines: string;
}

/** `<lnsp-sizes>`: the note's sizes, exact beside stated, as table and chart. */
export interface LnspSizes extends LnspElement<{ source: string; precision: string; rows: object[] }> {
  /** What is shown, of `table,chart,own,device`. */
  show: string;
  /** S of one more row. */
  width: string;
  /** `f32`, `f16`, `int8`. */
  dtype: string;
  /** `plain`, `sn727`. */
  variant: string;
  /** `parameters`, `bytes`, `training`, `flops`, `time`. */
  chart: string;
}

/** A claim put to the test. */
export interface Finding {
  id: string;
  standing: string;
  note: number | null;
  ours: number | null;
  unit: string;
  device: string;
  words: string;
}

/** `<lnsp-claims>`: the note's claims, each with its verdict. */
export interface LnspClaims extends LnspElement<Finding[]> {
  /** Beginnings of the claims' names: `transformer-layer,law-`. */
  claims: string;
  /** MB of the processor's last cache. */
  cache: string;
}

/** The version of every file of the package. */
export const version: string;
/** Serves the parts from a folder of yours; call it before the first element comes into view. */
export function configure(options: { base: string }): void;

declare global {
  interface HTMLElementTagNameMap {
    'lnsp-compare': LnspCompare;
    'lnsp-sizes': LnspSizes;
    'lnsp-claims': LnspClaims;
  }
}
