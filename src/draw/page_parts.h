/* Style and script of the page of a model. */
#ifndef PG_DRAW_PAGE_PARTS_H
#define PG_DRAW_PAGE_PARTS_H

extern const char pg_page_style[], pg_page_script[];

#endif
