"""A service of people, made with FastAPI and SQLAlchemy; change sets are transactions of SQLite.

uvicorn --factory examples.server_fastapi:make_app
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from odata_batch.asgi import BatchMiddleware


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "people"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)

    def as_json(self) -> dict[str, Any]:
        return {"ID": self.id, "Name": self.name}


def make_app(database: str = "people.db", **settings: Any) -> FastAPI:
    engine = create_async_engine(f"sqlite+aiosqlite:///{database}", connect_args={"timeout": 30})
    sessions = async_sessionmaker(engine)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        yield
        await engine.dispose()

    @asynccontextmanager
    async def session_of(request: Request) -> AsyncIterator[AsyncSession]:
        """The session of the change set, or else one that is committed before the response."""
        shared = request.scope.get("odata.transaction")
        if shared is not None:
            yield shared
            return
        async with sessions.begin() as session:
            yield session

    app = FastAPI(lifespan=lifespan)
    app.add_middleware(BatchMiddleware, path="/service/$batch", begin=sessions, **settings)

    @app.get("/service/People")
    async def people(request: Request) -> dict[str, Any]:
        async with session_of(request) as session:
            found = await session.scalars(select(Person).order_by(Person.id))
            return {"value": [person.as_json() for person in found]}

    @app.post("/service/People")
    async def create(request: Request, new: dict[str, str]) -> JSONResponse:
        async with session_of(request) as session:
            person = Person(name=new["Name"])
            session.add(person)
            await session.flush()
            location = f"{request.url.path}({person.id})"
            return JSONResponse(person.as_json(), 201, {"Location": location})

    @app.delete("/service/People({id})", status_code=204)
    async def delete(request: Request, id: int) -> None:
        async with session_of(request) as session:
            person = await session.get(Person, id)
            if person is None:
                raise HTTPException(404)
            await session.delete(person)

    @app.exception_handler(IntegrityError)
    async def conflict(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": {"code": "409", "message": "the name is taken"}}, 409)

    return app
