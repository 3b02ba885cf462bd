"use client";
// The chat: one question, one task, its answer as it comes. What tests look for bears the real one's names.
import { type FormEvent, useEffect, useRef, useState } from "react";
import { ask } from "@/lib/api";

type Turn = { question: string; answer: string; state: "running" | "done" | "failed"; seconds?: number };

const SUGGESTIONS = ["What is the capital of Poland?", "Name three colours.", "Explain what a kernel is."];

export function Chat() {
  const [turns, setTurns] = useState<Turn[]>([]);
  const [text, setText] = useState("");
  const end = useRef<HTMLDivElement>(null);
  const busy = turns.at(-1)?.state === "running";

  useEffect(() => {
    // Not returned: newer browsers answer with a promise, and React would call it as an end of the effect.
    void end.current?.scrollIntoView({ block: "end" });
  }, [turns]);

  const change = (part: Partial<Turn>) =>
    setTurns((all) => all.map((turn, i) => (i === all.length - 1 ? { ...turn, ...part } : turn)));

  async function send(question: string) {
    if (!question.trim() || busy) return;
    setText("");
    setTurns((all) => [...all, { question, answer: "", state: "running" }]);
    const started = performance.now();
    try {
      const last = await ask(question, (event) => change({ answer: event.result ?? "" }));
      const seconds = (performance.now() - started) / 1000;
      change({ answer: last.result ?? "", state: last.status === "COMPLETED" ? "done" : "failed", seconds });
    } catch (error) {
      change({ answer: String(error instanceof Error ? error.message : error), state: "failed" });
    }
  }

  const submit = (event: FormEvent) => {
    event.preventDefault();
    void send(text);
  };

  return (
    <section className="chat" aria-label="Chat">
      <div className="turns" aria-live="polite">
        {turns.length === 0 && (
          <div className="empty">
            <h2>Ask the model on this host</h2>
            <p>Every question is a task: sent to the backend, answered by Gemma 3, streamed back here.</p>
            <div className="suggestions">
              {SUGGESTIONS.map((suggestion) => (
                <button key={suggestion} type="button" onClick={() => void send(suggestion)}>
                  {suggestion}
                </button>
              ))}
            </div>
          </div>
        )}
        {turns.map((turn, index) => (
          <article key={index} className="turn" data-state={turn.state}>
            <p className="question" data-testid="conversation-bubble-user">
              {turn.question}
            </p>
            <p className="answer" data-testid="conversation-bubble-assistant">
              {turn.answer}
              {turn.state === "running" && <span className="caret" aria-label="answering" />}
            </p>
            {turn.seconds !== undefined && <p className="meta">{turn.seconds.toFixed(1)} s</p>}
          </article>
        ))}
        <div ref={end} />
      </div>
      <form className="composer" onSubmit={submit}>
        <input
          value={text}
          onChange={(event) => setText(event.target.value)}
          placeholder="Write to Venom"
          aria-label="Question"
          data-testid="cockpit-prompt-input"
          autoFocus
        />
        <button type="submit" disabled={busy || !text.trim()} data-testid="cockpit-send-button">
          {busy ? "Answering" : "Send"}
        </button>
      </form>
    </section>
  );
}
