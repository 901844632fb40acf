"""The operations of a file processor, now and as jobs, around the one thing in which they differ: who reads."""

from __future__ import annotations

import time

from runtime.apis.file_processors.protocol import (
    ListProcessFileJobsRequest,
    ProcessFileJob,
    ProcessFileJobList,
    ProcessFileJobRequest,
    ProcessFileRequest,
)
from runtime.provider import ProviderContext
from runtime.providers.file_processors._service.config import ProcessorConfig
from runtime.providers.file_processors._service.incoming import Incoming
from runtime.providers.file_processors._service.jobs import ProcessingJobs
from runtime.providers.file_processors._service.options import Options, options_of
from runtime.providers.file_processors._service.processing import Processing
from runtime.sse import Reply


class FileProcessor:
    """Implements `FileProcessors`; a subclass has `read`. allow_others: whether options that are not ours go on.

    Raises RequestError (400) with the reason why a document cannot be read, TooLarge (413) for a larger file than
    allowed, RateLimited (429) if too many wait, Unavailable (503) if the store is down.
    """

    allow_others = False

    def __init__(self, config: ProcessorConfig, context: ProviderContext) -> None:
        self.processing = Processing(config, context)
        self._jobs = ProcessingJobs(config, context, self.process_file)

    async def read(self, request: ProcessFileRequest, document: Incoming, options: Options, *, began: float) -> Reply:
        """A `ProcessFileResponse` about a document. began: when the request did, by `time.perf_counter`."""
        raise NotImplementedError

    async def process_file(self, request: ProcessFileRequest) -> Reply:
        began = time.perf_counter()
        async with self.processing.received(request) as document:
            options = self._options(request)  # fields of a form may come after its file
            return await self.read(request, document, options, began=began)

    async def create_job(self, request: ProcessFileRequest) -> ProcessFileJob:
        if request.file_id is not None:
            await self.processing.check_stored(request.file_id)
        return await self._jobs.create(request, check=self._options)

    async def list_jobs(self, request: ListProcessFileJobsRequest) -> ProcessFileJobList:
        return await self._jobs.page(request)

    async def get_job(self, request: ProcessFileJobRequest) -> Reply:
        return await self._jobs.get(request.job_id)

    async def cancel_job(self, request: ProcessFileJobRequest) -> ProcessFileJob:
        return await self._jobs.cancel(request.job_id)

    async def stop(self) -> None:
        """End the workers."""
        await self.processing.stop()

    def _options(self, request: ProcessFileRequest) -> Options:
        return options_of(request.options, allow_others=self.allow_others)
