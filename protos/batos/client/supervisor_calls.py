"""What is asked of the Supervisor."""

from batos.client import methods
from batos.client.calls import Call, Pages, Watch, Work, request_id
from batos.supervisor.v1 import supervisor_pb2 as pb


def chat(text: str, persona: str, soma: str, again: str) -> Work[pb.ConverseResponse, pb.Finished]:
    """One turn; `again` is the request_id of a turn that was asked for before, or empty."""
    return Work(
        methods.CONVERSE,
        pb.ConverseRequest(request_id=again or request_id(), text=text, persona=persona, soma=soma),
        lambda event: event.finished if event.HasField("finished") else None,
    )


def rate(soma: str, turn: int, *, good: bool) -> Call[pb.Turn]:
    """Good or bad."""
    rating = pb.RATING_GOOD if good else pb.RATING_BAD
    request = pb.RateSomaRequest(
        request_id=request_id(), soma=soma, turn_number=turn, rating=rating
    )
    return Call(methods.RATE_SOMA, request, lambda response: response.turn)


def correct(soma: str, turn: int, text: str) -> Call[pb.Turn]:
    """What it should have answered."""
    request = pb.CorrectSomaRequest(request_id=request_id(), soma=soma, turn_number=turn, text=text)
    return Call(methods.CORRECT_SOMA, request, lambda response: response.turn)


def personas() -> Pages[pb.Persona]:
    """All of them, by name."""
    return Pages(
        methods.LIST_PERSONAS, pb.ListPersonasRequest(), lambda response: response.personas
    )


def somas(persona: str, *, golden_only: bool) -> Pages[pb.Soma]:
    """Newest first, without their turns."""
    request = pb.ListSomasRequest(persona=persona, golden_only=golden_only)
    return Pages(methods.LIST_SOMAS, request, lambda response: response.somas)


def roll_back(persona: str) -> Call[pb.Persona]:
    """Back to the model before."""
    request = pb.RollBackPersonaRequest(request_id=request_id(), persona=persona)
    return Call(methods.ROLL_BACK_PERSONA, request, lambda response: response.persona)


def events(after: int) -> Watch[pb.Event, None]:
    """The journal from a sequence on, without end."""
    request = pb.WatchEventsRequest(after_sequence=after)
    return Watch(methods.WATCH_EVENTS, request, lambda response: response.event, None)


def images() -> Pages[pb.Image]:
    """Newest first."""
    return Pages(methods.LIST_IMAGES, pb.ListImagesRequest(), lambda response: response.images)


def save_image(note: str) -> Work[pb.SaveImageResponse, pb.Image]:
    """Progress, and the image at the end."""
    return Work(
        methods.SAVE_IMAGE,
        pb.SaveImageRequest(request_id=request_id(), note=note),
        lambda event: event.image if event.HasField("image") else None,
    )


def load_image(name: str, *, discard_current: bool) -> Work[pb.LoadImageResponse, pb.LoadedImage]:
    """Progress, and what was loaded at the end."""
    return Work(
        methods.LOAD_IMAGE,
        pb.LoadImageRequest(request_id=request_id(), name=name, discard_current=discard_current),
        lambda event: event.loaded if event.HasField("loaded") else None,
    )
