// The one page: the chat, and beside it what the backend says of itself.
import { Chat } from "@/components/chat";
import { Panel } from "@/components/panel";
import { optionalModules } from "@/lib/generated/optional-modules";

export default function Page() {
  return (
    <main className="cockpit">
      <header className="brand">
        <span className="mark" aria-hidden="true" />
        <h1>Venom</h1>
        <p>Cockpit</p>
      </header>
      <Chat />
      <Panel modules={optionalModules} />
    </main>
  );
}
