<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="xml" indent="yes" cdata-section-elements="raw" standalone="yes" doctype-system="out.dtd" doctype-public="-//X//Y"/>
<xsl:attribute-set name="base"><xsl:attribute name="class">row</xsl:attribute><xsl:attribute name="day"><xsl:value-of select="@day"/></xsl:attribute></xsl:attribute-set>
<xsl:attribute-set name="loud" use-attribute-sets="base"><xsl:attribute name="class">loud</xsl:attribute></xsl:attribute-set>
<xsl:template match="/"><list><xsl:for-each select="orders/order"><row xsl:use-attribute-sets="loud" id="{@id}"><raw><xsl:value-of select="*[last()]"/></raw></row></xsl:for-each></list></xsl:template>
</xsl:stylesheet>
