"use client";
// The panel: what the backend says of itself, and whether its telemetry arrives.
import { useEffect, useState } from "react";
import { eventsAddress } from "@/lib/api";

type Runtime = { runtime: { model: string; provider: string }; drift: { drift_detected: boolean } };
type Status = { version: string; profile: string };

async function get<T>(path: string): Promise<T | null> {
  try {
    const answer = await fetch(path, { cache: "no-store" });
    return answer.ok ? ((await answer.json()) as T) : null;
  } catch {
    return null;
  }
}

export function Panel({ modules }: { modules: string[] }) {
  const [status, setStatus] = useState<Status | null>(null);
  const [runtime, setRuntime] = useState<Runtime | null>(null);
  const [telemetry, setTelemetry] = useState(false);

  useEffect(() => {
    const look = async () => {
      setStatus(await get<Status>("/api/v1/system/status"));
      setRuntime(await get<Runtime>("/api/v1/system/llm-runtime/active"));
    };
    void look();
    const timer = setInterval(look, 10_000);
    const socket = new WebSocket(eventsAddress(window.location));
    socket.onmessage = () => setTelemetry(true);
    socket.onclose = () => setTelemetry(false);
    return () => {
      clearInterval(timer);
      socket.close();
    };
  }, []);

  const rows: [string, string, boolean][] = [
    ["Backend", status ? `v${status.version}` : "no answer", status !== null],
    ["Profile", status?.profile ?? "unknown", status !== null],
    ["Model", runtime?.runtime.model ?? "unknown", runtime !== null && !runtime.drift.drift_detected],
    ["Telemetry", telemetry ? "live" : "off", telemetry],
  ];

  return (
    <aside className="panel" aria-label="System">
      <h2>System</h2>
      <dl>
        {rows.map(([name, value, good]) => (
          <div key={name} data-good={good}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {modules.length > 0 && <p className="meta">Modules: {modules.join(", ")}</p>}
    </aside>
  );
}
