#pragma once

#include <filesystem>
#include <memory>
#include <mutex>

#include "verilabel/dataset/columns.h"
#include "verilabel/store/project.h"

namespace verilabel {

/// Columns for a process that stays: each call costs what changed since the one before. Safe for any number of threads.
class ColumnsCache {
 public:
  explicit ColumnsCache(const Project& project);
  ~ColumnsCache();

  /// Up to date with every transaction that any process committed before the call. What was handed out earlier stays as it was.
  std::shared_ptr<const Columns> current();

 private:
  std::mutex mutex_;
  std::filesystem::path directory_;
  std::unique_ptr<Database> database_;
  std::shared_ptr<Columns> columns_;
};

}  // namespace verilabel
