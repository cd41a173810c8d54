/** The page's side of the worker: a question is a promise. */

import { type CallName, type Calls, errorOf, type Message, type News, type Question } from "./protocol.ts";

/** The part of a Worker that is used. */
export interface Channel {
  postMessage(message: unknown, transfer: Transferable[]): void;
}

interface Waiting {
  readonly resolve: (gives: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class EngineClient {
  private readonly channel: Channel;
  private readonly onNews: (news: News) => void;
  private readonly waiting = new Map<number, Waiting>();
  private asked = 0;
  private failure: Error | undefined;

  constructor(channel: Channel, onNews: (news: News) => void) {
    this.channel = channel;
    this.onNews = onNews;
  }

  /** Asks the worker. What is transferred is no longer the page's. Rejects with an EngineError. */
  ask<Name extends CallName>(
    call: Name,
    takes: Calls[Name]["takes"],
    transfer: Transferable[] = [],
  ): Promise<Calls[Name]["gives"]> {
    return new Promise((resolve, reject) => {
      if (this.failure) {
        reject(this.failure);
        return;
      }
      const question: Question<Name> = { id: ++this.asked, call, takes };
      this.waiting.set(question.id, { resolve: resolve as (gives: unknown) => void, reject });
      this.channel.postMessage(question, transfer);
    });
  }

  /** Takes what the worker sends. */
  receive(message: Message): void {
    if (message.kind !== "answer" && message.kind !== "refusal") {
      this.onNews(message);
      return;
    }
    const waiting = this.waiting.get(message.id);
    this.waiting.delete(message.id);
    if (message.kind === "answer") waiting?.resolve(message.gives);
    else waiting?.reject(errorOf(message.fault));
  }

  /** The worker is gone: nothing that was asked will be answered, nor what will be. */
  fail(error: Error): void {
    this.failure = error;
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
}
