#include "verilabel/formats/zip_archive.h"

#include <algorithm>
#include <cerrno>
#include <string_view>

#include <fmt/format.h>
#include <zip.h>

#include "verilabel/base/error.h"
#include "verilabel/base/utf8.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

Error zip_fault(zip_error_t* error, const fs::path& path) {
  if (zip_error_system_type(error) == ZIP_ET_SYS) {
    return io_error("cannot read or write the archive", path.native(), zip_error_code_system(error));
  }
  return {ErrorCode::bad_data,
          fmt::format("the zip archive cannot be read: {}", zip_error_strerror(error)),
          {{"file", printable(path.native())}}};
}

}  // namespace

struct ZipArchive::Handle {
  explicit Handle(const fs::path& file) : path(file) {
    int code = 0;
    archive = zip_open(file.c_str(), ZIP_RDONLY, &code);
    if (archive == nullptr) {
      const int reason = errno;
      if (code == ZIP_ER_NOENT || code == ZIP_ER_OPEN || code == ZIP_ER_READ) {
        throw io_error("cannot open the archive", file.native(), code == ZIP_ER_NOENT ? ENOENT : reason);
      }
      zip_error_t error;
      zip_error_init_with_code(&error, code);
      const Error fault = zip_fault(&error, file);
      zip_error_fini(&error);
      throw Error(fault);
    }
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { zip_discard(archive); }

  fs::path path;
  zip_t* archive = nullptr;
};

ZipArchive::ZipArchive(const fs::path& file) : handle_(std::make_shared<Handle>(file)) {
  const zip_int64_t count = zip_get_num_entries(handle_->archive, 0);
  for (zip_int64_t index = 0; index < count; ++index) {
    const char* const name = zip_get_name(handle_->archive, static_cast<zip_uint64_t>(index), ZIP_FL_ENC_RAW);
    names_.emplace_back(name == nullptr ? "" : name);
  }
}

std::uint64_t ZipArchive::size(std::size_t index) const {
  zip_stat_t stat;
  return zip_stat_index(handle_->archive, index, 0, &stat) == 0 && (stat.valid & ZIP_STAT_SIZE) != 0 ? stat.size : 0;
}

std::function<std::size_t(char*, std::size_t)> ZipArchive::open(std::size_t index) const {
  zip_file_t* const opened = zip_fopen_index(handle_->archive, index, 0);
  if (opened == nullptr) {
    throw zip_fault(zip_get_error(handle_->archive), handle_->path);
  }
  // The entry closes before the archive that it holds.
  const std::shared_ptr<zip_file_t> entry(opened, [archive = handle_](zip_file_t* file) { zip_fclose(file); });
  return [entry, path = handle_->path](char* buffer, std::size_t size) {
    const zip_int64_t got = zip_fread(entry.get(), buffer, size);
    if (got < 0) {
      throw zip_fault(zip_file_get_error(entry.get()), path);
    }
    return static_cast<std::size_t>(got);
  };
}

bool is_safe_entry_name(std::string_view name) {
  std::string unix_name(name);
  std::replace(unix_name.begin(), unix_name.end(), '\\', '/');
  const fs::path path(unix_name);
  const bool has_drive = unix_name.size() > 1 && unix_name[1] == ':';
  return !has_drive && path.is_relative() && std::find(path.begin(), path.end(), fs::path("..")) == path.end();
}

void write_zip(const fs::path& path, std::span<const NewZipEntry> entries, const CancelToken* cancel) {
  int code = 0;
  zip_t* const archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_EXCL, &code);
  if (archive == nullptr) {
    throw io_error("cannot create the archive", path.native(), errno);
  }
  try {
    for (const NewZipEntry& entry : entries) {
      zip_source_t* const source = zip_source_file(archive, entry.file.c_str(), 0, -1);
      const zip_int64_t index = source == nullptr ? -1 : zip_file_add(archive, entry.name.c_str(), source, ZIP_FL_ENC_UTF_8);
      if (index < 0) {
        const Error fault = zip_fault(zip_get_error(archive), entry.file);
        zip_source_free(source);
        throw Error(fault);
      }
      zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), entry.is_packed ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0);
    }
    if (cancel != nullptr) {
      zip_register_cancel_callback_with_state(
          archive, [](zip_t*, void* state) { return static_cast<const CancelToken*>(state)->is_requested() ? 1 : 0; }, nullptr,
          const_cast<CancelToken*>(cancel));  // NOLINT(cppcoreguidelines-pro-type-const-cast): the callback reads it
    }
    if (zip_close(archive) != 0) {
      if (cancel != nullptr && cancel->is_requested()) {
        throw Error(ErrorCode::interrupted, "the export was stopped; nothing was left behind");
      }
      const Error fault = zip_fault(zip_get_error(archive), path);
      throw Error(ErrorCode::io, fmt::format("cannot write the archive: {}", fault.message()), fault.context());
    }
  } catch (...) {
    zip_discard(archive);
    throw;
  }
}

}  // namespace verilabel
