"""
The tutorial's game scene, in pygame: on loading it connects, and it shows the echo.

    cooee echo                  # in another terminal
    python game_scene.py [url] [--frames N] [--screenshot FILE]

The network needs no thread and no asyncio: the game calls ``cooee.poll()`` once per frame, and
what has arrived is handled there and then.
"""

import argparse
import sys
from pathlib import Path

import pygame

import cooee
import websocket

SIZE = 480, 320
FRAMES_PER_SECOND = 60
BACKGROUND = pygame.Color("#1d2733")
FOREGROUND = pygame.Color("#f2e8cf")


class Component:
    """What can be attached to a scene; override what is needed."""

    def on_load(self) -> None:
        """Called when the scene is loaded, before any component is started."""

    def start(self) -> None:
        """Called before the first update."""

    def update(self, dt: float) -> None:
        """Called once per frame; `dt` is the time since the last in seconds."""

    def draw(self, surface: pygame.Surface) -> None:
        """Called once per frame, after all updates."""


class GameScene(Component):
    """Connects to the echo server and shows what it says."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.text = "connecting"
        self.angle = 0.0
        self.echoed = False
        self.closed = False

    def on_load(self) -> None:
        websocket.on_message = self.on_message
        websocket.on_close = self.on_close
        websocket.connect(self.url)

    def start(self) -> None:
        self.font = pygame.font.Font(None, 48)

    def update(self, dt: float) -> None:
        self.angle += 180 * dt

    def draw(self, surface: pygame.Surface) -> None:
        label = self.font.render(self.text, True, FOREGROUND)
        surface.blit(label, label.get_rect(center=surface.get_rect().center))
        hand = pygame.Vector2(0, -24).rotate(self.angle)
        pygame.draw.line(surface, FOREGROUND, (40, 40), (40 + hand.x, 40 + hand.y), 3)

    def on_message(self, event: cooee.MessageEvent) -> None:
        print("#####", event.data, flush=True)
        self.text = str(event.data)
        self.echoed = True

    def on_close(self, event: cooee.CloseEvent) -> None:
        if not self.echoed:
            self.text = f"closed: {event.code}"
            print(self.text, flush=True)
        self.closed = True


class Scene:
    """A window with components."""

    def __init__(self, *components: Component) -> None:
        self.components = components
        self.surface = pygame.display.set_mode(SIZE)
        for component in components:
            component.on_load()
        for component in components:
            component.start()

    def frame(self, dt: float) -> bool:
        """Handle what happened, show one frame, and tell whether to go on."""
        if pygame.event.get(pygame.QUIT):
            return False
        cooee.poll()
        self.surface.fill(BACKGROUND)
        for component in self.components:
            component.update(dt)
        for component in self.components:
            component.draw(self.surface)
        pygame.display.flip()
        return True


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("url", nargs="?", default="ws://localhost:6080/ws")
    parser.add_argument(
        "--frames", type=int, help="end that many frames after the echo, or the failure, is shown"
    )
    parser.add_argument("--screenshot", type=Path, help="where to save the last frame")
    options = parser.parse_args()

    pygame.display.init()
    pygame.font.init()
    pygame.display.set_caption("cooee")
    game = GameScene(options.url)
    scene = Scene(game)
    clock = pygame.time.Clock()
    remaining = options.frames
    while remaining != 0 and scene.frame(clock.tick(FRAMES_PER_SECOND) / 1000):
        if remaining is not None and (game.echoed or game.closed):
            remaining -= 1
    if options.screenshot is not None:
        pygame.image.save(scene.surface, options.screenshot)
    websocket.close()
    cooee.run()  # until the closing handshake is over
    pygame.quit()
    return 0 if game.echoed else 1


if __name__ == "__main__":
    sys.exit(main())
