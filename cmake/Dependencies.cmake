# SPDX-License-Identifier: Apache-2.0
# Every library the project uses, under one name each: dep::<name>.
# Starting a program that maps forty shared libraries takes longer than a run with nothing to do, so the static form
# is taken where a distribution ships one (docs/adr/0003-startup.md).
find_package(Threads REQUIRED)
find_package(yaml-cpp CONFIG REQUIRED)

# A program with the property RUNNER_SHARED_DEPS takes the shared form all the same: one whose other libraries bring it.
# prefer_static(<name> <archive> <fallback target or library> [further link items of the archive])
function(prefer_static name archive fallback)
  add_library(dep_${name} INTERFACE)
  add_library(dep::${name} ALIAS dep_${name})
  set(found_archive NOTFOUND)
  if(RUNNER_STATIC_DEPS AND NOT APPLE)
    find_library(DEP_${name}_ARCHIVE ${archive})
    set(found_archive ${DEP_${name}_ARCHIVE})
  endif()
  if(found_archive)
    target_link_libraries(dep_${name} INTERFACE
      "$<IF:$<BOOL:$<TARGET_PROPERTY:RUNNER_SHARED_DEPS>>,${fallback},${found_archive}>" ${ARGN})
  else()
    target_link_libraries(dep_${name} INTERFACE ${fallback})
  endif()
endfunction()

prefer_static(yaml libyaml-cpp.a yaml-cpp)
if(NOT RUNNER_BUILD_PROGRAM)
  return()
endif()

find_package(Boost 1.74 CONFIG REQUIRED COMPONENTS headers)
find_package(CLI11 CONFIG REQUIRED)
find_package(nlohmann_json CONFIG REQUIRED)
find_package(SQLiteCpp CONFIG REQUIRED)
find_package(spdlog CONFIG REQUIRED)
find_package(fmt CONFIG REQUIRED)
find_package(CURL REQUIRED)
find_package(LibArchive REQUIRED)
find_package(OpenSSL 3 REQUIRED COMPONENTS Crypto SSL)
find_package(PkgConfig REQUIRED)
pkg_check_modules(httplib REQUIRED IMPORTED_TARGET cpp-httplib)

prefer_static(crypto libcrypto.a OpenSSL::Crypto ${CMAKE_DL_LIBS} Threads::Threads)
prefer_static(re2 libre2.a re2 Threads::Threads)
prefer_static(zlib libz.a z)
prefer_static(archive libarchive.a LibArchive::LibArchive dep::zlib)
prefer_static(sqlite libsqlite3.a sqlite3 m ${CMAKE_DL_LIBS} Threads::Threads)
target_include_directories(dep_archive INTERFACE ${LibArchive_INCLUDE_DIRS})

add_library(dep_sqlitecpp INTERFACE)
add_library(dep::sqlitecpp ALIAS dep_sqlitecpp)
find_library(DEP_SQLITECPP_ARCHIVE libSQLiteCpp.a)
find_path(DEP_SQLITECPP_INCLUDE SQLiteCpp/SQLiteCpp.h REQUIRED)
if(RUNNER_STATIC_DEPS AND DEP_SQLITECPP_ARCHIVE)
  target_include_directories(dep_sqlitecpp SYSTEM INTERFACE ${DEP_SQLITECPP_INCLUDE})
  target_link_libraries(dep_sqlitecpp INTERFACE ${DEP_SQLITECPP_ARCHIVE} dep::sqlite)
else()
  target_link_libraries(dep_sqlitecpp INTERFACE SQLiteCpp)
endif()

# Boost.DLL: the header alone, over std::filesystem.
add_library(dep_dll INTERFACE)
add_library(dep::dll ALIAS dep_dll)
target_link_libraries(dep_dll INTERFACE Boost::headers ${CMAKE_DL_LIBS})
target_compile_definitions(dep_dll INTERFACE BOOST_DLL_USE_STD_FS)

# spdlog and fmt without their shared libraries.
add_library(dep_spdlog INTERFACE)
add_library(dep::spdlog ALIAS dep_spdlog)
target_link_libraries(dep_spdlog INTERFACE fmt::fmt-header-only Threads::Threads)
target_compile_definitions(dep_spdlog INTERFACE SPDLOG_FMT_EXTERNAL FMT_HEADER_ONLY)

# libcurl is opened when something must be fetched, never at start: only its headers and its file name are needed here.
add_library(dep_curl_headers INTERFACE)
add_library(dep::curl_headers ALIAS dep_curl_headers)
target_include_directories(dep_curl_headers SYSTEM INTERFACE ${CURL_INCLUDE_DIRS})
