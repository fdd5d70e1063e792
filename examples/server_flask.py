"""A service of people, made with Flask and SQLAlchemy; change sets are transactions of SQLite.

flask --app examples.server_flask:make_app run
"""

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask, Response, jsonify, request
from sqlalchemy import create_engine, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from odata_batch.wsgi import BatchMiddleware


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "people"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)

    def as_json(self) -> dict[str, Any]:
        return {"ID": self.id, "Name": self.name}


def make_app(database: str = "people.db", **settings: Any) -> Flask:
    # The pool lets threads wait for their turn; SQLite alone would let some of many starve.
    engine = create_engine(f"sqlite:///{database}", connect_args={"timeout": 30})
    atexit.register(engine.dispose)
    Base.metadata.create_all(engine)
    sessions = sessionmaker(engine)

    @contextmanager
    def session_of() -> Iterator[Session]:
        """The session of the change set, or else one that is committed before the response."""
        shared = request.environ.get("odata.transaction")
        if shared is not None:
            yield shared
            return
        with sessions.begin() as session:
            yield session

    app = Flask(__name__)
    batch = BatchMiddleware(app.wsgi_app, path="/service/$batch", begin=sessions, **settings)
    app.wsgi_app = batch  # type: ignore[method-assign]  # Flask documents it so

    @app.get("/service/People")
    def people() -> dict[str, Any]:
        with session_of() as session:
            found = session.scalars(select(Person).order_by(Person.id))
            return {"value": [person.as_json() for person in found]}

    @app.post("/service/People")
    def create() -> tuple[Response, int, dict[str, str]]:
        with session_of() as session:
            person = Person(name=request.get_json()["Name"])
            session.add(person)
            session.flush()
            return jsonify(person.as_json()), 201, {"Location": f"{request.path}({person.id})"}

    @app.delete("/service/People(<int:id>)")
    def delete(id: int) -> tuple[str, int]:
        with session_of() as session:
            person = session.get(Person, id)
            if person is None:
                return "", 404
            session.delete(person)
            return "", 204

    @app.errorhandler(IntegrityError)
    def conflict(error: IntegrityError) -> tuple[dict[str, Any], int]:
        return {"error": {"code": "409", "message": "the name is taken"}}, 409

    return app
