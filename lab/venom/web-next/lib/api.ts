// The backend as the browser sees it: always its own origin, so that a proxy is one door.

export type TaskEvent = { status: string; result: string | null; logs: string[]; llm_model: string };

/** Starts a task and follows its events to the end; resolves to the last one. */
export async function ask(content: string, onUpdate: (event: TaskEvent) => void): Promise<TaskEvent> {
  const answer = await fetch("/api/v1/tasks", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ content, session_id: "cockpit", store_knowledge: false }),
  });
  if (!answer.ok) throw new Error(`The backend answered ${answer.status}`);
  const { task_id: id } = (await answer.json()) as { task_id: string };
  return new Promise((resolve, reject) => {
    const events = new EventSource(`/api/v1/tasks/${id}/stream`);
    events.addEventListener("task_update", (event) => onUpdate(JSON.parse(event.data) as TaskEvent));
    events.addEventListener("task_finished", (event) => {
      events.close();
      resolve(JSON.parse(event.data) as TaskEvent);
    });
    events.onerror = () => {
      events.close();
      reject(new Error("The stream of the task broke off"));
    };
  });
}

/** Where the WebSocket is. On a private address with a port of the UI's own it is the backend's port. */
export function eventsAddress(location: Location): string {
  const { hostname, port, protocol } = location;
  const isPrivate = /^(10\.|127\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|localhost$)/.test(hostname);
  if (isPrivate && port && port !== "8000") return `ws://${hostname}:8000/ws/events`;
  return `${protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/events`;
}
